import type { Node, Pod } from '#api/kube/types.ts';
import { parse, podRequests, podUse, sum } from '#cluster/machinery/requests.ts';
import type { NodeRoom } from './types.ts';

export function roomOf(node: Node, pods: readonly Pod[]): NodeRoom {
  const withAffinity = pods.filter(({ spec: { affinity } }) => affinity?.podAffinity !== undefined || affinity?.podAntiAffinity !== undefined);
  return { node, pods, withAffinity, allocatable: parse(node.status?.allocatable), requested: sum(pods.map(podRequests)), used: sum(pods.map(podUse)) };
}
