import { join } from 'node:path';
import { httpKubeClient } from '#client/kube/http.ts';
import type { KubeClient } from '#client/kube/types.ts';
import type { ApiServer } from '#cluster/apiserver/server.ts';
import type { CertificateAuthority, KeyPair } from '#cluster/apiserver/pki/authority.ts';
import { startKubelet } from '#cluster/kubelet/start.ts';
import type { Connections } from '#cluster/proxy/connections.ts';
import { startProxy } from '#cluster/proxy/proxy.ts';
import type { ProxyPlace } from '#cluster/proxy/types.ts';
import type { Kernel } from '#sys/types.ts';
import { version } from './config.ts';
import { cgroupOf, servicesTable } from './names.ts';
import type { NodeAccess } from './nodes/types.ts';
import type { Runtime, Surroundings } from './runtime.ts';

export interface NodeParts {
  around: Surroundings;
  runtime: Runtime;
  clients: NodeClients;
  /** What the node serves with, and the authority of those whom it serves: PEM. */
  serving: KeyPair;
  clientCa: string;
  name: string;
  address: string;
  podNetwork: string;
  podCidr: string;
  place: ProxyPlace;
  clusterDns: string;
  clusterDomain: string;
  /** See the kubelet's. */
  keepNode: boolean;
}

/** Clients of the API server that speak as the node, and as its Service proxy. */
export interface NodeClients {
  kubelet: KubeClient;
  proxy: KubeClient;
  close(): void;
}

type Rooms = Pick<Runtime, 'networks' | 'sandboxes'>;

export interface NodeAgent {
  /** Ends what works with its clients, and them. */
  stop(): Promise<void>;
}

/** A node's part of a cluster, in this process: kubelet and Service proxy, each by a client of its own. */
export async function openNode(parts: NodeParts): Promise<NodeAgent> {
  const { around, runtime, clients, serving, name, address } = parts;
  const kubelet = await startKubelet({
    client: clients.kubelet,
    core: { ...runtime, kernel: around.kernel },
    clock: around.clock,
    random: around.random,
    log: around.log,
    nodeName: name,
    address,
    root: join(around.root, 'kubelet'),
    version,
    podNetwork: { name: parts.podNetwork, subnet: parts.podCidr },
    podCidr: parts.podCidr,
    instance: cgroupOf(around.instance),
    clusterDns: [parts.clusterDns],
    clusterDomain: parts.clusterDomain,
    keepNode: parts.keepNode,
    // requests that hang fail, and watches begin anew
    onReachedAgain: () => clients.close(),
    server: { cert: serving.certificate, key: serving.key, clientCa: parts.clientCa, host: address, port: 0 },
  });
  const proxy = await openProxy(around, runtime, clients.proxy, parts.place, name);
  return {
    async stop() {
      proxy.stop();
      await kubelet.stop();
      clients.close();
    },
  };
}

/** The Service proxy of this process's network namespace: a node's, or that of the host in front of its nodes. */
export async function openProxy(around: Surroundings, runtime: Rooms, client: KubeClient, place: ProxyPlace, nodeName?: string): Promise<{ stop(): void }> {
  const stopping = new AbortController();
  await startProxy({
    client,
    clock: around.clock,
    log: around.log,
    rules: around.kernel.nft,
    table: servicesTable(around.instance),
    nodeName,
    place,
    connections: connectionsOf(around.kernel, runtime),
    signal: stopping.signal,
  });
  return { stop: () => stopping.abort() };
}

const nodesGroup = 'system:nodes';
const userOfNode = (name: string): string => `system:node:${name}`;
const userOfProxy = 'system:kube-proxy';

/** Of a node that is a process of its own: over HTTPS, by its certificates. */
export function remoteClients({ server, ca, kubelet, proxy }: NodeAccess): NodeClients {
  const clients = { kubelet: httpKubeClient({ server, ca, ...kubelet, userAgent: 'gantry-kubelet' }), proxy: httpKubeClient({ server, ca, ...proxy, userAgent: 'gantry-proxy' }) };
  return {
    ...clients,
    close() {
      clients.kubelet.close();
      clients.proxy.close();
    },
  };
}

/** Of the node that is in the API server's process: with the same rights, and no bytes between. */
export function localClients(api: ApiServer, name: string): NodeClients {
  return { kubelet: api.localClient({ name: userOfNode(name), groups: [nodesGroup] }), proxy: localProxyClient(api), close: () => {} };
}

export function localProxyClient(api: ApiServer): KubeClient {
  return api.localClient({ name: userOfProxy, groups: [] });
}

/** Connections that pass here, and the sockets of those who made them: this namespace's own, or a container's. */
function connectionsOf(kernel: Kernel, { networks, sandboxes }: Rooms): Connections {
  return {
    forget: (test) => void kernel.conntrack.forget(test),
    break: ({ source, destination }) => {
      const endpoint = networks.endpoints({}).find(({ address }) => address === source.address);
      kernel.sockets.break(source, destination, endpoint && sandboxes.get(endpoint.sandboxId)?.netPath);
    },
  };
}

/** Certificates for a node: as a remote one would, it joins with its own. */
export async function issueAccess(authority: CertificateAuthority, server: string, name: string, address: string): Promise<NodeAccess> {
  const [kubelet, serving, proxy] = await Promise.all([
    authority.issueClient({ commonName: userOfNode(name), organizations: [nodesGroup] }),
    issueServing(authority, name, address),
    authority.issueClient({ commonName: userOfProxy, organizations: [] }),
  ]);
  return { server, ca: authority.certificate, kubelet, proxy, serving };
}

/** What a node's own server shows to those who connect to it. */
export function issueServing(authority: CertificateAuthority, name: string, address: string): Promise<KeyPair> {
  return authority.issueServer({ commonName: userOfNode(name), dnsNames: [name], ipAddresses: [...new Set([address, '127.0.0.1'])] });
}

/** The host's own address: that of the link with the default route. */
export function hostAddress(around: Surroundings): string | undefined {
  const netlink = around.kernel.netlinks.open();
  try {
    const route = netlink.routes().find((r) => r.destination === '0.0.0.0/0');
    const found = netlink.addresses().find((a) => a.link === route?.link && a.family === 4 && a.scope === 'global');
    return found?.address.split('/')[0];
  } finally {
    netlink.close();
  }
}
