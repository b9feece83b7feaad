import type { Pod } from '#api/kube/types.ts';
import { must } from '#lib/assert.ts';
import type { Random } from '#lib/random.ts';
import { filters } from './filters.ts';
import { scores } from './scores.ts';
import type { Cluster, Decision, Filter, NodeRoom } from './types.ts';

/** Nodes whose scores differ by less are equal. */
const equalScores = 1e-6;

/** Where the pod goes, or why nowhere. Of equally good nodes any. */
export function decide(pod: Pod, cluster: Cluster, random: Random): Decision {
  const { rooms } = cluster;
  if (rooms.length === 0) return { unschedulable: 'no nodes available to schedule pods' };
  const reasons = new Map<string, number>();
  const asked = filters.map((filter) => filter(pod, cluster));
  const feasible = rooms.filter((room) => {
    const found = refusal(asked, room);
    for (const reason of found) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    return found.length === 0;
  });
  if (feasible.length === 0) {
    const counted = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort();
    return { unschedulable: `0/${rooms.length} nodes are available: ${counted.join(', ')}.` };
  }
  return { node: must(bestOf(pod, cluster, feasible, random).node.metadata.name, 'the name of a node') };
}

/** What the first filter that refuses says. */
function refusal(asked: readonly ReturnType<Filter>[], room: NodeRoom): readonly string[] {
  for (const reasonsFor of asked) {
    const reasons = reasonsFor(room);
    if (reasons.length > 0) return reasons;
  }
  return [];
}

/** Scores see all nodes (what is near is so on any of them); only those that can have the pod are compared. */
function bestOf(pod: Pod, cluster: Cluster, feasible: readonly NodeRoom[], random: Random): NodeRoom {
  const totals = cluster.rooms.map(() => 0);
  for (const score of scores) for (const [i, points] of score.of(pod, cluster).entries()) totals[i] = (totals[i] ?? 0) + score.weight * points;
  const candidates = cluster.rooms.flatMap((room, i) => (feasible.includes(room) ? [{ room, total: totals[i] ?? 0 }] : []));
  const most = Math.max(...candidates.map(({ total }) => total));
  const equal = candidates.filter(({ total }) => most - total < equalScores);
  return must(equal[equal.length === 1 ? 0 : random.int(equal.length)], 'a node').room;
}

/** The decision as a line of text. */
export function decisionText(pod: Pod, decision: Decision): string {
  const name = `${pod.metadata.namespace}/${pod.metadata.name}`;
  return 'node' in decision ? `bind ${name} to ${decision.node}` : `hold ${name}: ${decision.unschedulable}`;
}
