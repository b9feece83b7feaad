import { join } from 'node:path';
import { httpKubeClient, type HttpKubeClient } from '#client/kube/http.ts';
import type { CertificateAuthority, KeyPair } from '#cluster/apiserver/pki/authority.ts';
import { startKubelet } from '#cluster/kubelet/start.ts';
import { startProxy } from '#cluster/proxy/proxy.ts';
import type { ProxyPlace } from '#cluster/proxy/types.ts';
import { version } from './config.ts';
import { cgroupOf, servicesTable } from './names.ts';
import type { NodeAccess } from './nodes/types.ts';
import type { Runtime, Surroundings } from './runtime.ts';

export interface NodeParts {
  around: Surroundings;
  runtime: Runtime;
  access: NodeAccess;
  name: string;
  address: string;
  podNetwork: string;
  podCidr: string;
  place: ProxyPlace;
  clusterDns: string;
  clusterDomain: string;
}

export interface NodeAgent {
  /** Speaks as the node. */
  client: HttpKubeClient;
  stop(): Promise<void>;
}

/** A node's part of a cluster, in this process: kubelet and Service proxy, each by a client of its own. */
export async function openNode(parts: NodeParts): Promise<NodeAgent> {
  const { around, runtime, access, name, address } = parts;
  const client = nodeClient(access, access.kubelet, 'gantry-kubelet');
  const kubelet = await startKubelet({
    client,
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
    server: { cert: access.serving.certificate, key: access.serving.key, clientCa: access.ca, host: address, port: 0 },
  });
  const proxy = await openProxy(around, access, parts.place, name);
  return {
    client,
    async stop() {
      proxy.stop();
      await kubelet.stop();
      client.close();
    },
  };
}

/** The Service proxy of this process's network namespace: a node's, or that of the host in front of its nodes. */
export async function openProxy(around: Surroundings, access: Pick<NodeAccess, 'server' | 'ca' | 'proxy'>, place: ProxyPlace, nodeName?: string): Promise<{ stop(): void }> {
  const stopping = new AbortController();
  const client = nodeClient(access, access.proxy, 'gantry-proxy');
  await startProxy({
    client,
    clock: around.clock,
    log: around.log,
    rules: around.kernel.nft,
    table: servicesTable(around.instance),
    nodeName,
    place,
    signal: stopping.signal,
  });
  return {
    stop() {
      stopping.abort();
      client.close();
    },
  };
}

/** A client of the API server with one of the node's certificates. */
export function nodeClient({ server, ca }: Pick<NodeAccess, 'server' | 'ca'>, identity: KeyPair, userAgent: string): HttpKubeClient {
  return httpKubeClient({ server, ca, ...identity, userAgent });
}

/** Certificates for a node: as a remote one would, it joins with its own. */
export async function issueAccess(authority: CertificateAuthority, server: string, name: string, address: string): Promise<NodeAccess> {
  const names = { commonName: `system:node:${name}`, dnsNames: [name], ipAddresses: [...new Set([address, '127.0.0.1'])] };
  const [kubelet, serving, proxy] = await Promise.all([
    authority.issueClient({ commonName: `system:node:${name}`, organizations: ['system:nodes'] }),
    authority.issueServer(names),
    issueProxy(authority),
  ]);
  return { server, ca: authority.certificate, kubelet, proxy, serving };
}

export function issueProxy(authority: CertificateAuthority): Promise<KeyPair> {
  return authority.issueClient({ commonName: 'system:kube-proxy', organizations: [] });
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
