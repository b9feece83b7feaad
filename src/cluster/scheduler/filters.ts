import { must } from '#lib/assert.ts';
import { collides, hostPorts } from './host-ports.ts';
import { isSelected } from './node-selection.ts';
import { parse, podRequests } from './requests.ts';
import { tolerates, untolerated } from '#cluster/machinery/taints.ts';
import type { Filter } from './types.ts';

const hard = ['NoSchedule', 'NoExecute'];
const unschedulableTaint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

/** In the order in which they are asked. */
export const filters: readonly Filter[] = [
  {
    reasons: ({ spec }, { node }) => {
      const tolerated = (spec.tolerations ?? []).some((toleration) => tolerates(toleration, unschedulableTaint));
      return node.spec?.unschedulable === true && !tolerated ? ['node(s) were unschedulable'] : [];
    },
  },
  {
    reasons: (pod, { node }) => {
      const left = untolerated(pod, node.spec?.taints, hard);
      if (left.length === 0) return [];
      const { key, value = '' } = must(left[0], 'an untolerated taint');
      return [`node(s) had untolerated taint {${key}: ${value}}`];
    },
  },
  { reasons: (pod, { node }) => (isSelected(pod, node) ? [] : ["node(s) didn't match Pod's node affinity/selector"]) },
  {
    reasons: (pod, { pods }) => {
      const wanted = hostPorts(pod);
      const taken = wanted.length === 0 ? [] : pods.flatMap(hostPorts);
      const free = wanted.every((port) => !taken.some((other) => collides(port, other)));
      return free ? [] : ["node(s) didn't have free ports for the requested pod ports"];
    },
  },
  {
    reasons: (pod, { node, requested }) => {
      const allocatable = parse(node.status?.allocatable);
      return Object.entries(podRequests(pod))
        .filter(([name, wanted]) => wanted > 0 && wanted > (allocatable[name] ?? 0) - (requested[name] ?? 0))
        .map(([name]) => (name === 'pods' ? 'Too many pods' : `Insufficient ${name}`));
    },
  },
];
