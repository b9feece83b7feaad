import type { KubeObject } from '#api/kube/types.ts';
import type { Core, Objects } from '../core.ts';
import { CachedObject, deepFreeze, encodeStored, withRevision } from '../storage/object.ts';
import type { AdmissionRequest, Context } from '../types.ts';

export interface Write {
  key: string;
  /** The revision that the object must still have; 0 where it must not exist. */
  from: number;
  /** In the kind that is stored; absent to delete. */
  object?: KubeObject;
  /** The last state before a deletion, in the kind that is shown. */
  last?: CachedObject;
  also?: AdmissionRequest['also'];
}

/**
 * Writes one state, and answers when all caches show it. Undefined where the condition does not hold (then the
 * caches show why). With `dryRun` the state that would have been. What it gives is in the kind that is stored, of a
 * deletion in that of `last`.
 */
export async function commit(core: Core, objects: Objects, write: Write, context: Context): Promise<CachedObject | undefined> {
  const { key, from, object } = write;
  if (context.dryRun) {
    const shown = object ?? (write.last?.object as KubeObject);
    // What was not written has no version.
    return new CachedObject(key, from, from === 0 ? deepFreeze(shown) : withRevision(shown, from));
  }
  const value = object && encodeStored(object);
  if (value) core.caches.remember(value, object);
  const lease = value && (await core.expiry.leaseFor(objects.resource.storage));
  const condition = from === 0 ? { target: 'createRevision' as const, value: 0 } : { target: 'modRevision' as const, value: from };
  const { succeeded, revision } = await core.store.transact({
    compare: [{ key, is: '=', ...condition }, ...(write.also?.compare ?? [])],
    then: [value ? { op: 'put', key, value, lease } : { op: 'delete', key }, ...(write.also?.then ?? [])],
  });
  await core.caches.reach(revision);
  if (!succeeded) return undefined;
  if (!object) return write.last?.at(revision);
  // Somebody may have changed it again meanwhile: the answer is what was written.
  const cached = objects.cache.get(key);
  return cached?.revision === revision ? cached : new CachedObject(key, revision, withRevision(object, revision));
}
