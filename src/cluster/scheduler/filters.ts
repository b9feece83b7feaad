import { must } from '#lib/assert.ts';
import { collides, hostPorts } from './host-ports.ts';
import { isSelected } from './node-selection.ts';
import { affinityReasons } from './pod-affinity.ts';
import { podRequests } from '#cluster/machinery/requests.ts';
import { spreadReasons } from './spread.ts';
import { tolerates, untolerated } from '#cluster/machinery/taints.ts';
import type { Filter } from './types.ts';

const hard = ['NoSchedule', 'NoExecute'];
const unschedulableTaint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

/** In the order in which they are asked. */
export const filters: readonly Filter[] = [
  ({ spec }) => {
    const tolerated = (spec.tolerations ?? []).some((toleration) => tolerates(toleration, unschedulableTaint));
    return ({ node }) => (node.spec?.unschedulable === true && !tolerated ? ['node(s) were unschedulable'] : []);
  },
  (pod) => ({ node }) => {
    const left = untolerated(pod, node.spec?.taints, hard);
    if (left.length === 0) return [];
    const { key, value = '' } = must(left[0], 'an untolerated taint');
    return [`node(s) had untolerated taint {${key}: ${value}}`];
  },
  (pod) => ({ node }) => (isSelected(pod, node) ? [] : ["node(s) didn't match Pod's node affinity/selector"]),
  (pod) => {
    const wanted = hostPorts(pod);
    return ({ pods }) => {
      const taken = wanted.length === 0 ? [] : pods.flatMap(hostPorts);
      const free = wanted.every((port) => !taken.some((other) => collides(port, other)));
      return free ? [] : ["node(s) didn't have free ports for the requested pod ports"];
    };
  },
  (pod) => {
    const needs = Object.entries(podRequests(pod)).filter(([, wanted]) => wanted > 0);
    return ({ allocatable, requested }) =>
      needs
        .filter(([name, wanted]) => wanted > (allocatable[name] ?? 0) - (requested[name] ?? 0))
        .map(([name]) => (name === 'pods' ? 'Too many pods' : `Insufficient ${name}`));
  },
  spreadReasons,
  affinityReasons,
];
