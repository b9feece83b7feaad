/** Writes a pod's status, where it differs from what the API has. */
import { isDeepStrictEqual } from 'node:util';
import type { Pod, PodStatus } from '#api/kube/types.ts';
import { isFault } from '#lib/errors.ts';
import { pods } from '#client/kube/resources.ts';
import type { NodeContext } from '../types.ts';

/** The pod with what was reported last: the object that the watch has given may be older. */
export function withReported(pod: Pod, reported: PodStatus | undefined): Pod {
  if (!reported) return pod;
  const own = new Set((reported.conditions ?? []).map((condition) => condition.type));
  const foreign = (pod.status?.conditions ?? []).filter((condition) => !own.has(condition.type));
  return { ...pod, status: { ...pod.status, ...reported, conditions: [...(reported.conditions ?? []), ...foreign] } };
}

/** Returns what the API has now of it. A pod that is gone is no failure. */
export async function reportStatus(node: NodeContext, pod: Pod, status: PodStatus, before: PodStatus | undefined): Promise<PodStatus> {
  if (before ? isDeepStrictEqual(before, status) : holds(pod.status, status)) return status;
  const { name, namespace, uid } = pod.metadata;
  // A strategic patch leaves other writers' conditions alone. Fields that are over must be named.
  const cleared = { ...(pod.status?.reason && !status.reason ? { reason: null, message: null } : {}) };
  const conditions = (status.conditions ?? []).map((condition) => ({ reason: null, message: null, ...condition }));
  try {
    await node.client.patch(pods, name!, { type: 'strategic', body: { metadata: { uid }, status: { ...cleared, ...status, conditions } } }, { namespace: namespace!, subresource: 'status' });
  } catch (error) {
    if (!isFault(error, 'not-found', 'conflict')) throw error;
  }
  return status;
}

/** Whether the object says all of `status` already (as after a restart of the kubelet). */
function holds(known: PodStatus | undefined, status: PodStatus): boolean {
  if (!known) return false;
  const { conditions, ...rest } = status;
  const same = Object.entries(rest).every(([key, value]) => isDeepStrictEqual(known[key as keyof PodStatus], value));
  return same && (conditions ?? []).every((condition) => known.conditions?.some((other) => isDeepStrictEqual(other, condition)));
}
