/** The sandbox of a pod and its place in the node's pod network. */
import type { Pod } from '#api/kube/types.ts';
import type { PortRequest } from '#core/networks/types.ts';
import { isFault, messageOf } from '#lib/errors.ts';
import { labelOf, owner } from '../types.ts';
import type { NodeContext, NodePlace } from '../types.ts';
import { kernelHostname } from './files.ts';

/** The address of the pod; undefined while it has none. */
export function podAddress(node: NodeContext, pod: Pod): string | undefined {
  if (pod.spec.hostNetwork) return node.address;
  return node.core.networks.endpoints({ sandbox: pod.metadata.uid! })[0]?.address;
}

/** Makes what is missing of sandbox, endpoint and host ports. Returns the pod's address. */
export async function ensureSandbox(node: NodeContext, pod: Pod): Promise<string> {
  const { sandboxes, networks } = node.core;
  const { uid, namespace, name } = pod.metadata;
  const { hostNetwork, hostIPC } = pod.spec;
  const made: ('net' | 'ipc' | 'uts')[] = [];
  if (!hostNetwork) made.push('net', 'uts');
  if (!hostIPC) made.push('ipc');
  const sandbox =
    sandboxes.get(uid!) ??
    (await sandboxes.create({
      id: uid!,
      owner,
      labels: { [labelOf.node]: node.nodeName, [labelOf.uid]: uid!, [labelOf.namespace]: namespace!, [labelOf.pod]: name! },
      hostname: kernelHostname(pod, node.nodeName, node.clusterDomain),
      namespaces: made,
      sysctls: Object.fromEntries((pod.spec.securityContext?.sysctls ?? []).map((sysctl) => [sysctl.name, sysctl.value])),
    }));
  if (!sandbox.netPath) return node.address;
  const network = networks.get(node.podNetwork.name)!;
  const endpoint = networks.endpoints({ sandbox: uid! })[0] ?? (await networks.attach(network.id, { sandboxId: uid!, namespace: sandbox.netPath, interfaceName: 'eth0' }));
  const ports = hostPortsOf(pod);
  if (ports.length > 0 && networks.published(uid!).length === 0) await networks.publish(uid!, ports);
  return endpoint.address;
}

function hostPortsOf(pod: Pod): PortRequest[] {
  return pod.spec.containers.flatMap((container) =>
    (container.ports ?? []).flatMap(({ hostPort, containerPort, protocol = 'TCP', hostIP }) => {
      if (!hostPort) return [];
      const request: PortRequest = { containerPort, hostPort, protocol: protocol === 'UDP' ? 'udp' : 'tcp' };
      return [hostIP ? { ...request, hostIp: hostIP } : request];
    }),
  );
}

/** Gives the pod's address and ports back. */
export async function releaseSandbox(node: NodePlace, uid: string): Promise<void> {
  const { sandboxes, networks } = node.core;
  await networks.unpublish(uid);
  for (const endpoint of networks.endpoints({ sandbox: uid })) {
    try {
      await networks.detach(endpoint.networkId, uid);
    } catch (error) {
      if (!isFault(error, 'not-found')) node.log.warn('cannot detach a pod', { uid, error: messageOf(error) });
    }
  }
  await sandboxes.remove(uid);
}
