/** What this node refuses of pods before anything is started; what no node can do is refused at the API's door. */
import type { Pod } from '#api/kube/types.ts';
import { isFinishedPod } from '#cluster/machinery/pods.ts';
import type { Resources } from '#cluster/machinery/requests.ts';
import { podRequests, sum } from '#cluster/machinery/requests.ts';

export interface Refusal {
  reason: string;
  message: string;
}

/** Sysctls that a pod may set without the node's leave, as in Kubernetes. */
const safeSysctls = new Set([
  'kernel.shm_rmid_forced', 'net.ipv4.ip_local_port_range', 'net.ipv4.tcp_syncookies', 'net.ipv4.ping_group_range', 'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ip_local_reserved_ports', 'net.ipv4.tcp_keepalive_time', 'net.ipv4.tcp_fin_timeout', 'net.ipv4.tcp_keepalive_intvl', 'net.ipv4.tcp_keepalive_probes',
]);

/** Undefined where the node will run the pod; else the reason and a message, in Kubernetes' words. */
export function refusalOf({ spec }: Pod): Refusal | undefined {
  const sysctl = (spec.securityContext?.sysctls ?? []).find(({ name }) => !safeSysctls.has(name));
  if (sysctl) return { reason: 'SysctlForbidden', message: `forbidden sysctl: "${sysctl.name}" not allowlisted` };
  if (spec.os && spec.os.name !== 'linux') return { reason: 'PodOSNotSupported', message: "Failed to admit pod as the OS field doesn't match node OS" };
  return undefined;
}

/** Whether a kubelet of this node took the pod on before: then its room is its own. */
export function wasTaken({ status }: Pod): boolean {
  return status?.startTime !== undefined;
}

/**
 * Why the pod does not fit beside those that the node has: whoever named the node need not have asked for its room.
 * @param room what the node offers to pods; what it does not name is not counted
 */
export function shortageOf(pod: Pod, others: readonly Pod[], room: Resources): Refusal | undefined {
  const used = sum(others.filter((other) => !isFinishedPod(other)).map(podRequests));
  const asked = podRequests(pod);
  for (const [resource, capacity] of Object.entries(room)) {
    const [requested, taken] = [asked[resource] ?? 0, used[resource] ?? 0];
    if (requested === 0 || requested + taken <= capacity) continue;
    return { reason: `OutOf${resource}`, message: `Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${taken}, capacity: ${capacity}` };
  }
  return undefined;
}
