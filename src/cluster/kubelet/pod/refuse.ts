/** What this node refuses of pods before anything is started; what no node can do is refused at the API's door. */
import type { Pod } from '#api/kube/types.ts';

/** Sysctls that a pod may set without the node's leave, as in Kubernetes. */
const safeSysctls = new Set([
  'kernel.shm_rmid_forced', 'net.ipv4.ip_local_port_range', 'net.ipv4.tcp_syncookies', 'net.ipv4.ping_group_range', 'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ip_local_reserved_ports', 'net.ipv4.tcp_keepalive_time', 'net.ipv4.tcp_fin_timeout', 'net.ipv4.tcp_keepalive_intvl', 'net.ipv4.tcp_keepalive_probes',
]);

/** Undefined where the node will run the pod; else the reason and a message, in Kubernetes' words. */
export function refusalOf({ spec }: Pod): { reason: string; message: string } | undefined {
  const sysctl = (spec.securityContext?.sysctls ?? []).find(({ name }) => !safeSysctls.has(name));
  if (sysctl) return { reason: 'SysctlForbidden', message: `forbidden sysctl: "${sysctl.name}" not allowlisted` };
  if (spec.os && spec.os.name !== 'linux') return { reason: 'PodOSNotSupported', message: "Failed to admit pod as the OS field doesn't match node OS" };
  return undefined;
}
