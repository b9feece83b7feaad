/** Topology spread constraints: how unevenly pods may be over domains. */
import { matchesLabels } from '#api/kube/labels.ts';
import type { Pod, TopologySpreadConstraint } from '#api/kube/types.ts';
import { untolerated } from '#cluster/machinery/taints.ts';
import { isSelected } from './node-selection.ts';
import { DomainCounts, selectorFor } from './topology.ts';
import type { Cluster, NodeRoom } from './types.ts';

const hard = ['NoSchedule', 'NoExecute'];

export function spreadReasons(pod: Pod, cluster: Cluster): (room: NodeRoom) => readonly string[] {
  const constraints = constraintsOf(pod, 'DoNotSchedule').map((constraint) => ({ constraint, counts: countMatching(pod, constraint, cluster) }));
  return ({ node }) => {
    for (const { constraint, counts } of constraints) {
      const { topologyKey, maxSkew, minDomains = 1, labelSelector, matchLabelKeys } = constraint;
      const here = counts.at(node, topologyKey);
      if (here === undefined) return ["node(s) didn't match pod topology spread constraints (missing required label)"];
      const own = matchesLabels(selectorFor(pod, labelSelector, matchLabelKeys) ?? never, pod.metadata.labels) ? 1 : 0;
      const least = counts.size < minDomains ? 0 : counts.least();
      if (here + own - least > maxSkew) return ["node(s) didn't match pod topology spread constraints"];
    }
    return [];
  };
}

/** How many matching pods each node has near it, by the constraints that are only wishes. */
export function spreadCounts(pod: Pod, cluster: Cluster): number[] {
  const constraints = constraintsOf(pod, 'ScheduleAnyway').map((constraint) => ({ key: constraint.topologyKey, counts: countMatching(pod, constraint, cluster) }));
  return cluster.rooms.map(({ node }) => constraints.reduce((sum, { key, counts }) => sum + (counts.at(node, key) ?? 0), 0));
}

/** A selector that is not there selects nothing. */
const never = [{ key: '', operator: 'exists' as const, values: [] }];

function constraintsOf({ spec }: Pod, when: string): readonly TopologySpreadConstraint[] {
  return (spec.topologySpreadConstraints ?? []).filter(({ whenUnsatisfiable }) => whenUnsatisfiable === when);
}

/** Over the nodes that the pod could have by its selector, and by its tolerations where the constraint says so. */
function countMatching(pod: Pod, constraint: TopologySpreadConstraint, { rooms }: Cluster): DomainCounts {
  const { topologyKey, labelSelector, matchLabelKeys, nodeAffinityPolicy = 'Honor', nodeTaintsPolicy = 'Ignore' } = constraint;
  const selector = selectorFor(pod, labelSelector, matchLabelKeys) ?? never;
  const counts = new DomainCounts();
  for (const { node, pods } of rooms) {
    if (nodeAffinityPolicy === 'Honor' && !isSelected(pod, node)) continue;
    if (nodeTaintsPolicy === 'Honor' && untolerated(pod, node.spec?.taints, hard).length > 0) continue;
    const matching = pods.filter(({ metadata }) =>
      metadata.namespace === pod.metadata.namespace && metadata.deletionTimestamp === undefined && matchesLabels(selector, metadata.labels));
    counts.add(node, topologyKey, matching.length);
  }
  return counts;
}
