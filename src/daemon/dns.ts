import type { EndpointSlice, Service } from '#api/kube/types.ts';
import { endpointSlices as slicesRef, services as servicesRef } from '#client/kube/resources.ts';
import type { KubeClient, ResourceRef } from '#client/kube/types.ts';
import type { ApiServer } from '#cluster/apiserver/server.ts';
import { startClusterDns, type ClusterDns } from '#cluster/dns/server.ts';
import { isFault } from '#lib/errors.ts';
import type { ClusterNetwork } from './cluster-network.ts';
import { addressIn } from './cluster-network.ts';
import { hostNameServers } from './engine.ts';
import { component } from './names.ts';
import { withKeptPort } from './ports.ts';
import type { Surroundings } from './runtime.ts';

export const clusterDomain = 'cluster.local';
/** The tenth address of the Services' range, as clusters have it. */
const dnsNumber = 10;
const namespace = 'kube-system';
const name = 'kube-dns';

export function dnsAddress(network: ClusterNetwork): string {
  return addressIn(network.serviceCidr, dnsNumber);
}

/** The DNS server in this process, and the Service by which pods reach it. */
export async function openClusterDns(around: Surroundings, api: ApiServer, network: ClusterNetwork, gateway: string, signal: AbortSignal): Promise<ClusterDns> {
  const reader = api.localClient({ name: 'system:kube-dns', groups: [] });
  // pods on nodes that are agents ask there until their node has heard of another
  const dns = await withKeptPort(around.root, 'dns', (port) => startClusterDns({ ...around, client: reader, address: gateway, port, domain: clusterDomain, upstreams: hostNameServers, signal }));
  const publisher = api.localClient(component('dns'));
  await publish(publisher, dnsService(dnsAddress(network)), servicesRef);
  await publish(publisher, dnsSlice(gateway, dns.port), slicesRef);
  return dns;
}

async function publish(client: KubeClient, object: Service | EndpointSlice, ref: ResourceRef): Promise<void> {
  try {
    await client.patch(ref, object.metadata?.name ?? '', { type: 'merge', body: object }, { namespace });
  } catch (error) {
    if (!isFault(error, 'not-found')) throw error;
    await client.create(ref, object, { namespace });
  }
}

function dnsService(clusterIP: string): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, labels: { 'k8s-app': 'kube-dns', 'kubernetes.io/name': 'CoreDNS' } },
    spec: {
      clusterIP,
      ports: [
        { name: 'dns', port: 53, protocol: 'UDP' },
        { name: 'dns-tcp', port: 53, protocol: 'TCP' },
      ],
    },
  } as Service;
}

function dnsSlice(address: string, port: number): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace, labels: { 'kubernetes.io/service-name': name, 'endpointslice.kubernetes.io/managed-by': 'gantry' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports: [
      { name: 'dns', port, protocol: 'UDP' },
      { name: 'dns-tcp', port, protocol: 'TCP' },
    ],
  } as EndpointSlice;
}
