import type { Pod } from '#api/kube/types.ts';
import { controllerOf } from '#cluster/machinery/owners.ts';
import { preference } from './node-selection.ts';
import { parse, podRequests } from './requests.ts';
import { untolerated } from '#cluster/machinery/taints.ts';
import type { NodeRoom, Score } from './types.ts';

const best = 100;
/** What a pod that asks for nothing is taken to use: thousandths of a cpu, and bytes. */
const assumed = { cpu: 100, memory: 200 * 1024 * 1024 };

/** Summed with their weights. */
export const scores: readonly Score[] = [
  { weight: 1, of: (pod, rooms) => rooms.map((room) => leastAllocated(pod, room)) },
  // Copies of one workload on different nodes: what one node takes with it should not be all of them.
  { weight: 2, of: (pod, rooms) => fewestIsBest(rooms.map(({ pods }) => siblings(pod, pods))) },
  { weight: 3, of: (pod, rooms) => fewestIsBest(rooms.map(({ node }) => untolerated(pod, node.spec?.taints, ['PreferNoSchedule']).length)) },
  { weight: 2, of: (pod, rooms) => mostIsBest(rooms.map(({ node }) => preference(pod, node))) },
];

/** The share of cpu and memory that stays free with the pod on the node. */
function leastAllocated(pod: Pod, { node, pods }: NodeRoom): number {
  const allocatable = parse(node.status?.allocatable);
  const shares = (['cpu', 'memory'] as const).map((name) => {
    const all = allocatable[name] ?? 0;
    const used = [...pods, pod].reduce((sum, each) => sum + (podRequests(each)[name] ?? assumed[name]), 0);
    return all === 0 ? 0 : Math.max(0, (all - used) / all);
  });
  return (best * shares.reduce((sum, share) => sum + share, 0)) / shares.length;
}

function siblings(pod: Pod, others: readonly Pod[]): number {
  const owner = controllerOf(pod)?.uid;
  if (owner === undefined) return 0;
  return others.filter((other) => other.metadata.deletionTimestamp === undefined && controllerOf(other)?.uid === owner).length;
}

function mostIsBest(counts: readonly number[]): number[] {
  const most = Math.max(...counts);
  return counts.map((count) => (most === 0 ? 0 : (best * count) / most));
}

function fewestIsBest(counts: readonly number[]): number[] {
  const most = Math.max(...counts);
  return counts.map((count) => (most === 0 ? best : (best * (most - count)) / most));
}
