/**
 * Writes whose outcome must be known before the next decision. A write that was answered with `timeout` may have happened:
 * it is done again until there is an answer. That is safe for those that say what they must find: nothing of
 * that name, a revision, a uid.
 */
import { Fault, isFault, messageOf } from '#lib/errors.ts';
import type { KubeClient, ResourceRef } from '#client/kube/types.ts';
import { controllerOf } from './owners.ts';
import type { ApiObject } from './types.ts';

/** How often a write is tried for an answer; then its `timeout` is given on. */
const tries = 4;

/** Refused before it was looked at: that says nothing of a try before it. */
function saysNothing(error: unknown): boolean {
  return isFault(error, 'unavailable', 'exhausted', 'internal');
}

export async function answered<T>(write: () => Promise<T>): Promise<T> {
  let silence: unknown;
  for (let attempt = 1; ; attempt++) {
    try {
      return await write();
    } catch (error) {
      if (isFault(error, 'timeout')) silence = error;
      else if (silence === undefined || !saysNothing(error)) throw error;
      if (attempt >= tries) throw silence;
    }
  }
}

/** Creates an object that has a name and a controller. One of that name and controller that came of a try without answer is it. */
export async function createAnswered<T extends ApiObject>(client: KubeClient, ref: ResourceRef, object: T, signal: AbortSignal): Promise<T> {
  const { name = '', namespace } = object.metadata;
  let attempts = 0;
  try {
    return await answered(() => {
      attempts++;
      return client.create<T>(ref, object, { namespace, signal });
    });
  } catch (error) {
    if (attempts === 1 || !isFault(error, 'already-exists')) throw error;
    const there = await client.get<T>(ref, name, namespace, { signal }).catch((unread: unknown) => {
      throw saysNothing(unread) ? new Fault('timeout', `${ref.resource} "${name}" may have been created: ${messageOf(unread)}`, { cause: unread }) : unread;
    });
    if (controllerOf(there)?.uid !== controllerOf(object)?.uid) throw error;
    return there;
  }
}
