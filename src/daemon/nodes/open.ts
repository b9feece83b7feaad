import { join } from 'node:path';
import type { NodeAnswer, NodeRequest } from '#api/gantry/nodes.ts';
import type { NodeSights } from '#cluster/controllers/nodelifecycle/controller.ts';
import { clearPods } from '#cluster/kubelet/clear.ts';
import { startNodeRoutes } from '#cluster/proxy/routes.ts';
import { Fault } from '#lib/errors.ts';
import type { Cluster } from '../cluster.ts';
import { addressIn, type ClusterNetwork } from '../cluster-network.ts';
import type { DaemonConfig } from '../config.ts';
import { clusterDomain, dnsAddress } from '../dns.ts';
import { cgroupOf, component } from '../names.ts';
import { hostAddress, issueServing, localClients, localProxyClient, openNode, openProxy } from '../node.ts';
import type { Runtime, Surroundings } from '../runtime.ts';
import { AgentNodes } from './agents.ts';
import { openImageStore, type ImageStore } from './images.ts';
import { nodeBridge, openDaemonPods, openNodeNetwork, podCidrOf } from './network.ts';
import { removeFromCluster } from './objects.ts';
import { readRoster, rosterOf, writeRoster } from './roster.ts';
import type { Nodes, Roster } from './types.ts';
import { watchNodes } from './watch.ts';

export interface NodesParts {
  config: DaemonConfig;
  around: Surroundings;
  runtime: Runtime;
  network: ClusterNetwork;
}

/** What nodes stand on: the API server listens there, so it comes first. */
export interface Ground {
  rosterFile: string;
  roster: Roster;
  podNetwork: string | undefined;
}

/** Reads the roster, changes it to what was asked for, and makes the network for the nodes that are to be. */
export async function openGround({ config, around, runtime, network }: NodesParts): Promise<Ground> {
  const rosterFile = join(config.root, 'cluster', 'nodes.json');
  const present = readRoster(rosterFile);
  const roster = config.nodes === undefined ? present : rosterOf(config.nodes, present);
  writeRoster(rosterFile, roster);
  if (!roster.agents) return { rosterFile, roster, podNetwork: await openDaemonPods(around, runtime, network) };
  await openNodeNetwork(around, runtime, network);
  return { rosterFile, roster, podNetwork: undefined };
}

/** What the daemon sees of its nodes by their network. */
export function openSights({ kernel, clock, log }: Surroundings, cluster: Cluster, { clusterCidr }: ClusterNetwork, signal: AbortSignal): NodeSights {
  return watchNodes({ client: cluster.api.localClient(component('watch')), clock, log, signal, clusterCidr, knock: (address, port) => kernel.namespaces.knock(address, port) });
}

/** Brings up the nodes of the roster, once those that leave are gone. */
export async function openNodes(parts: NodesParts & { cluster: Cluster; ground: Ground }): Promise<Nodes> {
  const { around, runtime, cluster, config, ground } = parts;
  const client = cluster.api.localClient(component('nodes'));
  for (const { name } of ground.roster.leaving.filter(({ agent }) => !agent)) {
    await clearPods({ core: { ...runtime, kernel: around.kernel }, root: join(around.root, 'kubelet'), nodeName: name, instance: cgroupOf(around.instance), log: around.log });
    await removeFromCluster(client, name, ground.roster);
  }
  const store = ground.roster.agents ? await openImageStore(parts) : undefined;
  const agents = new AgentNodes({ ...parts, client, imageStore: store?.url ?? '', rosterFile: ground.rosterFile, roster: ground.roster, debug: config.debug });
  await agents.finishLeaving();
  return store ? openAgents(parts, agents, store) : openOwnNode(parts);
}

/** The host stands in front of its nodes: Services and pods are reached from it, too. */
async function openAgents({ around, runtime, network, cluster }: Parameters<typeof openNodes>[0], agents: AgentNodes, store: ImageStore): Promise<Nodes> {
  const stopping = new AbortController();
  // engine and cluster are of use without it; `up` tries again, and says why not
  await agents.startMissing().catch((error: unknown) => around.log.error('a node cannot be started', { error }));
  const place = { serviceCidr: network.serviceCidr, turned: { sources: network.clusterCidr, link: nodeBridge(runtime) } };
  const proxy = await openProxy(around, runtime, localProxyClient(cluster.api), place);
  const client = cluster.api.localClient(component('routes'));
  await startNodeRoutes({ client, clock: around.clock, log: around.log, table: () => around.kernel.netlinks.open(), clusterCidr: network.clusterCidr, signal: stopping.signal });
  agents.close = async () => {
    stopping.abort();
    proxy.stop();
    await store.close();
  };
  return agents;
}

/** The one node that is in the daemon: it shares the engine's runtime, so that what is built here runs here with no copy. */
async function openOwnNode({ around, runtime, cluster, network, ground }: Parameters<typeof openNodes>[0]): Promise<Nodes> {
  const name = ground.roster.nodes[0]?.name ?? '';
  const address = hostAddress(around) ?? addressIn(network.clusterCidr, 1);
  const { authority } = cluster.api;
  const node = await openNode({
    around,
    runtime,
    clients: localClients(cluster.api, name),
    serving: await issueServing(authority, name, address),
    clientCa: authority.certificate,
    name,
    address,
    podNetwork: ground.podNetwork ?? '',
    podCidr: podCidrOf(network, 0),
    place: { serviceCidr: network.serviceCidr },
    clusterDns: dnsAddress(network),
    clusterDomain,
    keepNode: true,
  });
  const refuse = (): never => {
    throw new Fault('conflict', `the one node, ${name}, is in the daemon: ./gantry down, then ./gantry up --nodes 2, makes nodes that come and go`);
  };
  return {
    list: () => [{ name, address, pid: process.pid }],
    startMissing: async () => [],
    scale: async (count) => (count === 1 ? [] : refuse()),
    add: async () => refuse(),
    remove: async () => refuse(),
    stop: async () => refuse(),
    start: async () => refuse(),
    close: () => node.stop(),
  };
}

/** Does what `./gantry node` asks for. */
export async function askNodes(nodes: Nodes, request: NodeRequest): Promise<NodeAnswer> {
  const { name = '' } = request;
  switch (request.do) {
    case 'add':
      return { nodes: [await nodes.add(request.name)] };
    case 'start-missing':
      return { nodes: await nodes.startMissing() };
    case 'scale':
      return { nodes: await nodes.scale(request.count ?? 0) };
    case 'remove':
      await nodes.remove(name);
      break;
    case 'stop':
      await nodes.stop(name);
      break;
    case 'start':
      await nodes.start(name);
  }
  return { nodes: [name] };
}
