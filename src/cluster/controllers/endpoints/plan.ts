import type { EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Service } from '#api/kube/types.ts';
import { sameJson } from '#cluster/machinery/equal.ts';
import type { Planned } from '../planned.ts';
import type { Backend } from './observe.ts';
import { headlessLabel, ipOfFamily, isHeadless } from './observe.ts';

const managedBy = 'endpoints.kubernetes.io/managed-by';
const overCapacity = 'endpoints.kubernetes.io/over-capacity';
/** Addresses of one Endpoints object; what is beyond is left out, and an annotation says so. */
const addressLimit = 1000;

export type Operation = Planned & ({ do: 'create' | 'update'; endpoints: Endpoints } | { do: 'delete' });

export function isOurs({ metadata }: Endpoints): boolean {
  return metadata.labels?.[managedBy] === 'endpoint-controller';
}

/** What makes the Endpoints of a service what they should be; `service` is undefined where it is gone. */
export function planEndpoints(key: string, service: Service | undefined, backends: readonly Backend[], present: Endpoints | undefined): Operation[] {
  if (!service) return present ? [{ do: 'delete', what: `delete endpoints ${key}`, cause: 'the service is gone' }] : [];
  const wanted = endpointsOf(service, backends, present);
  if (!present) return [{ do: 'create', what: `create endpoints ${key} ${summary(wanted)}`, cause: 'there are none', endpoints: wanted }];
  const facts = ({ subsets = [], metadata: { labels = {}, annotations = {} } }: Endpoints): unknown => [subsets, labels, annotations];
  if (sameJson(facts(present), facts(wanted))) return [];
  return [{ do: 'update', what: `update endpoints ${key} ${summary(wanted)}`, cause: `they were ${summary(present)}`, endpoints: wanted }];
}

function endpointsOf(service: Service, backends: readonly Backend[], present: Endpoints | undefined): Endpoints {
  const { name, namespace, labels = {} } = service.metadata;
  const { [overCapacity]: _, ...annotations } = present?.metadata.annotations ?? {};
  const family = service.spec.ipFamilies?.[0] ?? 'IPv4';
  const shown = backends.filter(({ terminating }) => !terminating || service.spec.publishNotReadyAddresses === true);
  const kept = [...shown].sort((a, b) => Number(b.serving) - Number(a.serving)).slice(0, addressLimit);
  if (kept.length < shown.length) annotations[overCapacity] = 'truncated';
  const metadata = {
    ...(present?.metadata ?? { name, namespace }),
    labels: { ...labels, [managedBy]: 'endpoint-controller', ...(isHeadless(service) && { [headlessLabel]: '' }) },
    ...(Object.keys(annotations).length > 0 ? { annotations } : { annotations: undefined }),
  };
  return { apiVersion: 'v1', kind: 'Endpoints', metadata, subsets: subsetsOf(service, kept, family) };
}

/** Addresses with the same ports are one subset. */
function subsetsOf(service: Service, backends: readonly Backend[], family: string): EndpointSubset[] {
  const subsets = new Map<string, { ports: EndpointPort[]; addresses: EndpointAddress[]; notReadyAddresses: EndpointAddress[] }>();
  for (const backend of backends) {
    const ip = ipOfFamily(backend, family);
    // A pod that has none of the service's ports is not behind it; a headless service may do without ports.
    if (ip === undefined || (backend.ports.length === 0 && (service.spec.ports ?? []).length > 0)) continue;
    const ports = backend.ports.map(({ name, ...port }) => ({ ...(name !== '' && { name }), ...port }));
    const key = JSON.stringify(ports);
    const subset = subsets.get(key) ?? { ports, addresses: [], notReadyAddresses: [] };
    const { hostname, nodeName, target: targetRef, serving } = backend;
    const address = { ip, ...(hostname !== undefined && { hostname }), ...(nodeName !== undefined && { nodeName }), targetRef };
    const ready = serving || service.spec.publishNotReadyAddresses === true;
    (ready ? subset.addresses : subset.notReadyAddresses).push(address);
    subsets.set(key, subset);
  }
  const byIp = (a: EndpointAddress, b: EndpointAddress): number => (a.ip < b.ip ? -1 : 1);
  return [...subsets].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, { ports, addresses, notReadyAddresses }]) => ({
    ...(addresses.length > 0 && { addresses: addresses.sort(byIp) }),
    ...(notReadyAddresses.length > 0 && { notReadyAddresses: notReadyAddresses.sort(byIp) }),
    ...(ports.length > 0 && { ports }),
  }));
}

function summary({ subsets = [] }: Endpoints): string {
  const parts = subsets.map(({ addresses = [], notReadyAddresses = [], ports = [] }) => {
    const ips = [...addresses.map(({ ip }) => ip), ...notReadyAddresses.map(({ ip }) => `(${ip})`)];
    return `${ips.join(',')}:${ports.map(({ port }) => port).join(',')}`;
  });
  return `[${parts.join(' ')}]`;
}
