import { millisOfTime } from '#api/kube/time.ts';
import type { Pod } from '#api/kube/types.ts';
import { isReadyPod, readySince } from '#cluster/machinery/pods.ts';

const deletionCost = 'controller.kubernetes.io/pod-deletion-cost';

/**
 * Pods in the order in which they are given up: what serves least and is youngest goes first.
 * @param perNode how many pods of the same purpose each node has
 */
export function byDispensability(pods: readonly Pod[], perNode: ReadonlyMap<string, number>): Pod[] {
  const ranked = pods.map((pod) => ({ pod, rank: rankOf(pod, perNode) }));
  return ranked.sort((a, b) => compareRanks(a.rank, b.rank) || compareNames(a.pod, b.pod)).map(({ pod }) => pod);
}

/** Compared in order, smaller goes first. */
function rankOf(pod: Pod, perNode: ReadonlyMap<string, number>): number[] {
  const { nodeName = '' } = pod.spec ?? {};
  const phase = { Pending: 0, Unknown: 1, Running: 2 }[pod.status?.phase ?? 'Pending'] ?? 1;
  const restarts = Math.max(0, ...(pod.status?.containerStatuses ?? []).map((status) => status.restartCount));
  const created = pod.metadata.creationTimestamp === undefined ? Infinity : millisOfTime(pod.metadata.creationTimestamp);
  return [
    nodeName === '' ? 0 : 1,
    phase,
    isReadyPod(pod) ? 1 : 0,
    costOf(pod),
    -(perNode.get(nodeName) ?? 0),
    -(readySince(pod) ?? 0),
    -restarts,
    -created,
  ];
}

function costOf(pod: Pod): number {
  const cost = Number(pod.metadata.annotations?.[deletionCost] ?? '0');
  return Number.isInteger(cost) ? cost : 0;
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (const [i, left] of a.entries()) {
    const difference = left - (b[i] ?? 0);
    if (difference !== 0 && !Number.isNaN(difference)) return difference;
  }
  return 0;
}

function compareNames(a: Pod, b: Pod): number {
  return (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1;
}
