import type { Pod } from '#api/kube/types.ts';
import { controllerOf } from '#cluster/machinery/owners.ts';
import { preference } from './node-selection.ts';
import { affinityWeights } from './pod-affinity.ts';
import { podUse } from '#cluster/machinery/requests.ts';
import { spreadCounts } from './spread.ts';
import { untolerated } from '#cluster/machinery/taints.ts';
import type { NodeRoom, Score } from './types.ts';

const best = 100;

/** Summed with their weights. */
export const scores: readonly Score[] = [
  { weight: 1, of: (pod, { rooms }) => rooms.map((room) => leastAllocated(pod, room)) },
  // Copies of one workload on different nodes: what one node takes with it should not be all of them.
  { weight: 2, of: (pod, { rooms }) => fewestIsBest(rooms.map(({ pods }) => siblings(pod, pods))) },
  { weight: 2, of: (pod, cluster) => fewestIsBest(spreadCounts(pod, cluster)) },
  { weight: 2, of: (pod, cluster) => mostIsBest(affinityWeights(pod, cluster)) },
  { weight: 3, of: (pod, { rooms }) => fewestIsBest(rooms.map(({ node }) => untolerated(pod, node.spec?.taints, ['PreferNoSchedule']).length)) },
  { weight: 2, of: (pod, { rooms }) => mostIsBest(rooms.map(({ node }) => preference(pod, node))) },
];

/** The share of cpu and memory that stays free with the pod on the node. */
function leastAllocated(pod: Pod, { allocatable, used }: NodeRoom): number {
  const own = podUse(pod);
  const shares = ['cpu', 'memory'].map((name) => {
    const all = allocatable[name] ?? 0;
    return all === 0 ? 0 : Math.max(0, (all - (used[name] ?? 0) - (own[name] ?? 0)) / all);
  });
  return (best * shares.reduce((total, share) => total + share, 0)) / shares.length;
}

function siblings(pod: Pod, others: readonly Pod[]): number {
  const owner = controllerOf(pod)?.uid;
  if (owner === undefined) return 0;
  return others.filter((other) => other.metadata.deletionTimestamp === undefined && controllerOf(other)?.uid === owner).length;
}

/** From the least to the most of them; all the best where they are equal. */
function mostIsBest(counts: readonly number[]): number[] {
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  return counts.map((count) => (most === least ? best : (best * (count - least)) / (most - least)));
}

function fewestIsBest(counts: readonly number[]): number[] {
  return mostIsBest(counts.map((count) => -count));
}
