/** What this node cannot do for a pod, said by name before anything is started. */
import type { Container, Pod } from '#api/kube/types.ts';
import { Fault } from '#lib/errors.ts';
import { pluginOf } from '../volumes/manager.ts';

/** Sysctls that a pod may set without the node's leave, as in Kubernetes. */
const safeSysctls = new Set([
  'kernel.shm_rmid_forced', 'net.ipv4.ip_local_port_range', 'net.ipv4.tcp_syncookies', 'net.ipv4.ping_group_range', 'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ip_local_reserved_ports', 'net.ipv4.tcp_keepalive_time', 'net.ipv4.tcp_fin_timeout', 'net.ipv4.tcp_keepalive_intvl', 'net.ipv4.tcp_keepalive_probes',
]);

/** Undefined where the node will run the pod; else the reason and a message that names the field. */
export function refusalOf(pod: Pod): { reason: string; message: string } | undefined {
  const { spec } = pod;
  const sysctl = (spec.securityContext?.sysctls ?? []).find(({ name }) => !safeSysctls.has(name));
  if (sysctl) return { reason: 'SysctlForbidden', message: `forbidden sysctl: "${sysctl.name}" not allowlisted` };
  const unsupported = unsupportedOf(pod);
  return unsupported === undefined ? undefined : { reason: 'UnsupportedFeature', message: `this node does not support ${unsupported}` };
}

function unsupportedOf(pod: Pod): string | undefined {
  const { spec } = pod;
  if (spec.os && spec.os.name !== 'linux') return `spec.os.name ${spec.os.name}`;
  if (spec.runtimeClassName) return `spec.runtimeClassName (${spec.runtimeClassName})`;
  if (spec.hostUsers === false) return 'spec.hostUsers: false (user namespaces)';
  if (spec.shareProcessNamespace) return 'spec.shareProcessNamespace';
  if (spec.resources) return 'spec.resources (limits of the whole pod)';
  if (spec.hostnameOverride) return 'spec.hostnameOverride';
  if (spec.securityContext?.supplementalGroupsPolicy === 'Strict') return 'spec.securityContext.supplementalGroupsPolicy: Strict';
  if (spec.securityContext?.seLinuxOptions) return 'spec.securityContext.seLinuxOptions';
  if (spec.securityContext?.seccompProfile?.type === 'Localhost') return 'spec.securityContext.seccompProfile type Localhost';
  if (spec.securityContext?.appArmorProfile?.type === 'Localhost') return 'spec.securityContext.appArmorProfile type Localhost';
  if (spec.resourceClaims?.length) return 'spec.resourceClaims';
  for (const volume of spec.volumes ?? []) {
    try {
      pluginOf(volume);
    } catch (error) {
      if (error instanceof Fault) return `spec.volumes: ${error.message}`;
      throw error;
    }
  }
  for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
    const found = unsupportedIn(container);
    if (found) return `${found} of container ${container.name}`;
  }
  return undefined;
}

function unsupportedIn(container: Container): string | undefined {
  const security = container.securityContext ?? {};
  if (container.volumeDevices?.length) return 'volumeDevices';
  if (container.restartPolicyRules?.length) return 'restartPolicyRules';
  if (container.volumeMounts?.some((mount) => mount.recursiveReadOnly === 'Enabled')) return 'volumeMounts.recursiveReadOnly: Enabled';
  if (container.ports?.some((port) => port.hostPort && port.protocol === 'SCTP')) return 'ports.hostPort over SCTP';
  if (container.lifecycle?.stopSignal) return 'lifecycle.stopSignal';
  if (security.seccompProfile?.type === 'Localhost') return 'securityContext.seccompProfile type Localhost';
  if (security.appArmorProfile?.type === 'Localhost') return 'securityContext.appArmorProfile type Localhost';
  if (security.seLinuxOptions) return 'securityContext.seLinuxOptions';
  return container.resources?.claims?.length ? 'resources.claims' : undefined;
}
