/** Requests and limits as cgroup settings. */
import type { Container, Pod } from '#api/kube/types.ts';
import { isPositive, qosClassOf } from '#api/kube/pods.ts';
import { quantityMilliValue, quantityValue } from '#api/kube/quantity.ts';
import type { ResourceSpec } from '#core/containers/types.ts';

/** Scheduling period of the CPU quota, in microseconds. */
const cpuPeriod = 100_000;
const leastQuota = 1000;
const leastShares = 2;
const mostShares = 262_144;

export function cgroupResources(container: Container): ResourceSpec {
  const { cpu, memory } = container.resources?.limits ?? {};
  const spec: ResourceSpec = { cpuShares: sharesOf(cpuAskedBy(container)) };
  if (isPositive(cpu)) {
    spec.cpuPeriod = cpuPeriod;
    spec.cpuQuota = Math.max(leastQuota, Math.floor((quantityMilliValue(cpu) * cpuPeriod) / 1000));
  }
  if (isPositive(memory)) {
    spec.memoryBytes = quantityValue(memory);
    // Memory and swap together: a container with a limit is not swapped out past it.
    spec.memorySwapBytes = spec.memoryBytes;
  }
  return spec;
}

/** The pod's weight against other pods: what its containers ask for at once, or one of its init containers before them. */
export function podShares({ spec }: Pod): number {
  const sum = (containers: readonly Container[]): number => containers.reduce((total, container) => total + cpuAskedBy(container), 0);
  const inits = spec.initContainers ?? [];
  const sidecars = inits.filter(({ restartPolicy }) => restartPolicy === 'Always');
  return sharesOf(Math.max(sum([...spec.containers, ...sidecars]), ...inits.filter((container) => !sidecars.includes(container)).map(cpuAskedBy)));
}

/** In thousandths of a processor. */
function cpuAskedBy({ resources }: Container): number {
  return quantityMilliValue(resources?.requests?.['cpu'] ?? resources?.limits?.['cpu'] ?? '0');
}

function sharesOf(milliCpus: number): number {
  return Math.min(mostShares, Math.max(leastShares, Math.floor((milliCpus * 1024) / 1000)));
}

/** The kernel kills BestEffort first, Guaranteed last, and in between who asked for less of the memory. */
export function oomScoreAdj(pod: Pod, container: Container, nodeMemory: number): number {
  const qos = qosClassOf(pod);
  if (qos === 'Guaranteed') return -997;
  if (qos === 'BestEffort') return 1000;
  const request = quantityValue(container.resources?.requests?.['memory'] ?? container.resources?.limits?.['memory'] ?? '0');
  return Math.min(999, Math.max(3, 1000 - Math.floor((1000 * request) / nodeMemory)));
}
