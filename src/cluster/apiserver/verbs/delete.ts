import type { DeleteOptions, KubeObject } from '#api/kube/types.ts';
import { isoSeconds } from '#lib/clock.ts';
import { forEachLimit } from '#lib/async.ts';
import { isFault } from '#lib/errors.ts';
import type { Core } from '../core.ts';
import { conflict, invalidObject, notFound } from '../status.ts';
import type { CachedObject } from '../storage/object.ts';
import type { Context, Target } from '../types.ts';
import { admit } from './admit.ts';
import { commit } from './commit.ts';
import { isFinished } from './finished.ts';
import { copyOf } from '../storage/object.ts';

const deleteAttempts = 32;
/** Deletions that one `deletecollection` has under way. */
const collectionParallelism = 8;

const orphan = 'orphan';
const foreground = 'foregroundDeletion';

export interface Deleted {
  object: CachedObject;
  /** False where finalizers or the grace period hold it back. */
  gone: boolean;
}

/**
 * Deletes an object, or begins to: with finalizers or a grace period it only gets a deletion time.
 * Throws `not-found`; `conflict` where a precondition does not hold.
 */
export async function remove(core: Core, target: Target, options: DeleteOptions, context: Context): Promise<Deleted> {
  checkOptions(target, options);
  const objects = core.objects.of(target.resource);
  for (let attempt = 1; ; attempt++) {
    const old = objects.get(target.namespace, target.name);
    if (!old) throw notFound(target.resource, target.name);
    checkPreconditions(target, old, options);
    const deleted = await tryRemove(core, target, old, options, context);
    if (deleted) return deleted;
    if (attempt >= deleteAttempts) throw conflict(target.resource, target.name);
  }
}

async function tryRemove(core: Core, target: Target, old: CachedObject, options: DeleteOptions, context: Context): Promise<Deleted | undefined> {
  const { resource, namespace, name } = target;
  const objects = core.objects.of(resource);
  const also = { compare: [], then: [] };
  await admit(core, { operation: 'DELETE', context, resource, subresource: '', namespace, name, old: old.object, also });
  const key = objects.key(namespace, name);
  const marked = markDeleted(core, target, old.object, options);
  if (isFinished(marked)) {
    const gone = await commit(core, objects, { key, from: old.revision, last: old, also }, context);
    return gone && { object: gone, gone: true };
  }
  if (JSON.stringify(marked.metadata) === JSON.stringify(old.object.metadata)) return { object: old, gone: false };
  const written = await commit(core, objects, { key, from: old.revision, object: objects.toStored(marked) }, context);
  return written && { object: objects.show(written), gone: false };
}

/** The object as one whose deletion has begun. */
function markDeleted(core: Core, { resource }: Target, old: KubeObject, options: DeleteOptions): KubeObject {
  const object = copyOf(old);
  const { metadata } = object;
  const finalizers = wantedFinalizers(metadata.finalizers ?? [], policyOf(old, options));
  if (finalizers.length > 0) metadata.finalizers = finalizers;
  else delete metadata.finalizers;
  const grace = graceSeconds(resource.gracePeriodSeconds?.(old), old, options);
  const before = metadata.deletionTimestamp;
  // A deletion under way can be hurried, never put off.
  const sooner = before === undefined || grace < (metadata.deletionGracePeriodSeconds ?? 0);
  if (sooner) {
    metadata.deletionTimestamp = before !== undefined && grace === 0 ? before : isoSeconds(core.clock.now() + grace * 1000);
    metadata.deletionGracePeriodSeconds = grace;
    if (before === undefined && metadata.generation !== undefined) metadata.generation += 1;
  }
  if (object.kind === 'Namespace' && object.apiVersion === 'v1') object['status'] = { ...(object['status'] as object), phase: 'Terminating' };
  return object;
}

/** Only kinds with a grace period of their own wait; a pod that no node has, or that has ended, goes at once. */
function graceSeconds(own: number | undefined, object: KubeObject, options: DeleteOptions): number {
  if (own === undefined) return 0;
  if (object.kind === 'Pod') {
    const { spec, status } = object as unknown as { spec?: { nodeName?: string }; status?: { phase?: string } };
    if ((spec?.nodeName ?? '') === '' || status?.phase === 'Succeeded' || status?.phase === 'Failed') return 0;
  }
  return Math.max(0, options.gracePeriodSeconds ?? own);
}

/** Replication controllers leave their pods behind where nothing else is said, as they always have. */
function policyOf(object: KubeObject, { propagationPolicy, orphanDependents }: DeleteOptions): string | undefined {
  if (propagationPolicy !== undefined) return propagationPolicy;
  if (orphanDependents !== undefined) return orphanDependents ? 'Orphan' : 'Background';
  return object.kind === 'ReplicationController' ? 'Orphan' : undefined;
}

/** What the propagation policy asks the garbage collector to do first. */
function wantedFinalizers(present: readonly string[], policy: string | undefined): string[] {
  if (policy === undefined) return [...present];
  const others = present.filter((finalizer) => finalizer !== orphan && finalizer !== foreground);
  if (policy === 'Orphan') return [...others, orphan];
  return policy === 'Foreground' ? [...others, foreground] : others;
}

function checkOptions({ resource, name }: Target, options: DeleteOptions): void {
  const { propagationPolicy: policy } = options;
  if (policy === undefined || ['Orphan', 'Background', 'Foreground'].includes(policy)) return;
  const detail = 'supported values: "Background", "Foreground", "Orphan"';
  throw invalidObject({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, name === '' ? resource.plural : '', [
    { type: 'NotSupported', path: 'propagationPolicy', value: policy, detail },
  ]);
}

function checkPreconditions({ resource, name }: Target, old: CachedObject, { preconditions }: DeleteOptions): void {
  const { uid, resourceVersion } = preconditions ?? {};
  if (uid !== undefined && uid !== old.object.metadata.uid) {
    throw conflict(resource, name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.object.metadata.uid}`);
  }
  if (resourceVersion !== undefined && resourceVersion !== String(old.revision)) {
    const why = `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${old.revision}`;
    throw conflict(resource, name, why);
  }
}

/** Deletes each of `items`; one that is gone already does not matter. */
export async function removeAll(core: Core, target: Target, items: readonly CachedObject[], options: DeleteOptions, context: Context): Promise<void> {
  await forEachLimit(items, collectionParallelism, async ({ object: { metadata } }) => {
    const one = { ...target, namespace: metadata.namespace ?? '', name: metadata.name ?? '' };
    try {
      await remove(core, one, options, context);
    } catch (error) {
      if (!isFault(error, 'not-found')) throw error;
    }
  });
}
