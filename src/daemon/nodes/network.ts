import { pointToPointOption } from '#core/networks/bridge/settings.ts';
import { clusterLabel } from '#core/networks/spec.ts';
import type { Network, NetworkSpec } from '#core/networks/types.ts';
import type { Kernel } from '#sys/types.ts';
import { addressIn, blockIn, type ClusterNetwork } from '../cluster-network.ts';
import type { Runtime, Surroundings } from '../runtime.ts';

/** The bridge of the pods of the node that is in the daemon. */
const podsName = 'gantry-pods';
/** The bridge that agents' namespaces are joined to. */
const nodesName = 'gantry-nodes';
const owner = 'node';
/** Pods of one node. */
const podPrefix = 24;

/** The range of the pods of the node `number`; 0 is the daemon's own. */
export function podCidrOf(network: ClusterNetwork, number: number): string {
  return blockIn(network.clusterCidr, podPrefix, number);
}

/** On the node network, whose first address is the host's. */
export function nodeAddress(network: ClusterNetwork, number: number): string {
  return addressIn(network.clusterCidr, number + 1);
}

/** Pods reach each other through the host alone, so that a Service's client keeps its address. */
const throughTheHost = { [pointToPointOption]: 'true' };

/** Of an agent's pods: others reach them on all ports, and see their own addresses. Only the host hides them, from outside. */
const seenByAll = {
  ...throughTheHost,
  'com.docker.network.bridge.enable_ip_masquerade': 'false',
  'com.docker.network.bridge.gateway_mode_ipv4': 'nat-unprotected',
};

/** The network of the daemon's own pods; its gateway is where they find the API server and DNS. */
export async function openDaemonPods(around: Surroundings, runtime: Runtime, network: ClusterNetwork): Promise<string> {
  await dropNetwork(runtime, nodesName);
  const found = await ensure(runtime, { name: podsName, driver: 'bridge', ipam: { config: [{ subnet: podCidrOf(network, 0) }] }, options: throughTheHost });
  keepServices(around, network, found);
  return podsName;
}

/** The network of an agent's pods, in its own namespace. */
export async function openAgentPods(runtime: Runtime, podCidr: string): Promise<string> {
  await ensure(runtime, { name: podsName, driver: 'bridge', ipam: { config: [{ subnet: podCidr }] }, options: seenByAll });
  return podsName;
}

/**
 * The node network. It has the whole cluster's range, so that what leaves the cluster is told from what stays; nodes take
 * their addresses from its first /24, and routes to their pods are more particular.
 */
export async function openNodeNetwork(around: Surroundings, runtime: Runtime, network: ClusterNetwork): Promise<void> {
  await dropNetwork(runtime, podsName);
  const config = { subnet: network.clusterCidr, ipRange: podCidrOf(network, 0), gateway: addressIn(network.clusterCidr, 1) };
  const found = await ensure(runtime, { name: nodesName, driver: 'bridge', ipam: { config: [config] } });
  keepServices(around, network, found);
}

/** The host's link to its nodes. */
export function nodeBridge({ networks }: Runtime): string {
  return networks.get(nodesName)?.bridge ?? '';
}

/** A node's link to all else. */
export const uplink = 'eth0';

/** A node's network namespace, on the node network; made where it is missing. Its path. */
export async function placeNode(runtime: Runtime, name: string, address: string): Promise<string> {
  const { sandboxes, networks } = runtime;
  const sandbox = sandboxes.get(name) ?? (await sandboxes.create({ id: name, owner, namespaces: ['net'] }));
  const namespace = sandbox.netPath ?? '';
  if (networks.endpoints({ sandbox: name }).length === 0) {
    await networks.attach(networks.get(nodesName)?.id ?? '', { sandboxId: name, namespace, interfaceName: uplink, address });
  }
  return namespace;
}

export async function unplaceNode({ networks, sandboxes }: Pick<Runtime, 'networks' | 'sandboxes'>, name: string): Promise<void> {
  for (const { networkId } of networks.endpoints({ sandbox: name })) await networks.detach(networkId, name);
  await sandboxes.remove(name);
}

/** Docker's clients see it, and can do it no harm. */
async function ensure({ networks }: Runtime, spec: NetworkSpec): Promise<Network> {
  return networks.get(spec.name) ?? (await networks.create({ ...spec, labels: { [clusterLabel]: 'true' } }));
}

/** That of the other way to have nodes: it has a part of the same range. */
async function dropNetwork({ networks }: Runtime, name: string): Promise<void> {
  const found = networks.get(name);
  if (!found) return;
  for (const { sandboxId } of networks.endpoints({ network: found.id })) await networks.detach(found.id, sandboxId);
  await networks.remove(found.id);
}

/** A route that keeps traffic to Services on this host, and shows other instances that the range is taken. */
function keepServices({ kernel }: { kernel: Kernel }, network: ClusterNetwork, { bridge }: Network): void {
  const netlink = kernel.netlinks.open();
  try {
    netlink.addRoute({ destination: network.serviceCidr, link: bridge });
  } finally {
    netlink.close();
  }
}
