import type { Pod } from '#api/kube/types.ts';
import { must } from '#lib/assert.ts';
import type { Random } from '#lib/random.ts';
import { filters } from './filters.ts';
import { scores } from './scores.ts';
import type { Decision, NodeRoom } from './types.ts';

/** Nodes whose scores differ by less are equal. */
const equalScores = 1e-6;

/** Where the pod goes, or why nowhere. Of equally good nodes any. */
export function decide(pod: Pod, rooms: readonly NodeRoom[], random: Random): Decision {
  if (rooms.length === 0) return { unschedulable: 'no nodes available to schedule pods' };
  const reasons = new Map<string, number>();
  const feasible = rooms.filter((room) => {
    const found = refusal(pod, room);
    for (const reason of found) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    return found.length === 0;
  });
  if (feasible.length === 0) {
    const counted = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort();
    return { unschedulable: `0/${rooms.length} nodes are available: ${counted.join(', ')}.` };
  }
  return { node: must(bestOf(pod, feasible, random).node.metadata.name, 'the name of a node') };
}

/** What the first filter that refuses says. */
function refusal(pod: Pod, room: NodeRoom): readonly string[] {
  for (const filter of filters) {
    const reasons = filter.reasons(pod, room);
    if (reasons.length > 0) return reasons;
  }
  return [];
}

function bestOf(pod: Pod, rooms: readonly NodeRoom[], random: Random): NodeRoom {
  const totals = rooms.map(() => 0);
  for (const score of scores) for (const [i, points] of score.of(pod, rooms).entries()) totals[i] = (totals[i] ?? 0) + score.weight * points;
  const most = Math.max(...totals);
  const candidates = rooms.filter((_, i) => most - (totals[i] ?? 0) < equalScores);
  return must(candidates[candidates.length === 1 ? 0 : random.int(candidates.length)], 'a node');
}

/** The decision as a line of text. */
export function decisionText(pod: Pod, decision: Decision): string {
  const name = `${pod.metadata.namespace}/${pod.metadata.name}`;
  return 'node' in decision ? `bind ${name} to ${decision.node}` : `hold ${name}: ${decision.unschedulable}`;
}
