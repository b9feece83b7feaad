import type { ContainerPort, Pod } from '#api/kube/types.ts';

const everywhere = ['', '0.0.0.0'];

/** The ports of the node that the pod takes for itself. */
export function hostPorts({ spec }: Pod): ContainerPort[] {
  const restarted = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  return [...spec.containers, ...restarted].flatMap(({ ports = [] }) => ports).filter(({ hostPort }) => hostPort !== undefined && hostPort > 0);
}

/** Two ports collide where number and protocol are the same and the addresses are, or one of them takes every address. */
export function collides(a: ContainerPort, b: ContainerPort): boolean {
  if (a.hostPort !== b.hostPort || (a.protocol ?? 'TCP') !== (b.protocol ?? 'TCP')) return false;
  const [left, right] = [a.hostIP ?? '', b.hostIP ?? ''];
  return left === right || everywhere.includes(left) || everywhere.includes(right);
}
