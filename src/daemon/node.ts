import { join } from 'node:path';
import { httpKubeClient } from '#client/kube/http.ts';
import { startKubelet } from '#cluster/kubelet/start.ts';
import { startProxy } from '#cluster/proxy/proxy.ts';
import type { Cluster } from './cluster.ts';
import type { ClusterNetwork } from './cluster-network.ts';
import { version } from './config.ts';
import { clusterDomain, dnsAddress } from './dns.ts';
import { cgroupOf, servicesTable } from './names.ts';
import type { Runtime, Surroundings } from './runtime.ts';

export interface NodeParts {
  around: Surroundings;
  runtime: Runtime;
  cluster: Cluster;
  network: ClusterNetwork;
  podNetwork: string;
  gateway: string;
  name: string;
}

export interface NodeAgent {
  stop(): Promise<void>;
}

/** The agent of this machine's node: as a remote one would, it joins over TLS with a certificate of its own. */
export async function openNode(parts: NodeParts): Promise<NodeAgent> {
  const { around, runtime, cluster, network, name } = parts;
  const address = hostAddress(around) ?? parts.gateway;
  const identity = await cluster.api.authority.issueClient({ commonName: `system:node:${name}`, organizations: ['system:nodes'] });
  const client = httpKubeClient({ server: cluster.url, ca: cluster.api.authority.certificate, ...identity, userAgent: 'gantry-kubelet' });
  const serving = await cluster.api.authority.issueServer({ commonName: `system:node:${name}`, dnsNames: [name], ipAddresses: [address, '127.0.0.1'] });
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
    podNetwork: { name: parts.podNetwork, subnet: network.podSubnet },
    instance: cgroupOf(around.instance),
    clusterDns: [dnsAddress(network)],
    clusterDomain,
    server: { cert: serving.certificate, key: serving.key, clientCa: cluster.api.authority.certificate, host: address, port: 0 },
  });
  const stopping = new AbortController();
  const proxyIdentity = await cluster.api.authority.issueClient({ commonName: 'system:kube-proxy', organizations: [] });
  const proxyClient = httpKubeClient({ server: cluster.url, ca: cluster.api.authority.certificate, ...proxyIdentity, userAgent: 'gantry-proxy' });
  await startProxy({
    client: proxyClient,
    clock: around.clock,
    log: around.log,
    rules: around.kernel.nft,
    table: servicesTable(around.instance),
    nodeName: name,
    serviceCidr: network.serviceCidr,
    signal: stopping.signal,
  });
  return {
    async stop() {
      stopping.abort();
      proxyClient.close();
      await kubelet.stop();
      client.close();
    },
  };
}

/** The host's own address: that of the link with the default route. */
function hostAddress(around: Surroundings): string | undefined {
  const netlink = around.kernel.netlinks.open();
  try {
    const route = netlink.routes().find((r) => r.destination === '0.0.0.0/0');
    const found = netlink.addresses().find((a) => a.link === route?.link && a.family === 4 && a.scope === 'global');
    return found?.address.split('/')[0];
  } finally {
    netlink.close();
  }
}
