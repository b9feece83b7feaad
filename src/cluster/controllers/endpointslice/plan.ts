import type { DiscoveryEndpointPort, Endpoint, EndpointSlice, Service } from '#api/kube/types.ts';
import { sameJson } from '#cluster/machinery/equal.ts';
import { controllerReference } from '#cluster/machinery/owners.ts';
import type { Backend } from '../endpoints/observe.ts';
import { headlessLabel, ipOfFamily, isHeadless } from '../endpoints/observe.ts';
import type { Planned } from '../planned.ts';

export const serviceNameLabel = 'kubernetes.io/service-name';
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by';
export const manager = 'endpointslice-controller.k8s.io';
/** Endpoints in one slice. */
const sliceLimit = 100;

export type Operation = Planned & { do: 'create' | 'update' | 'delete'; slice: EndpointSlice };

/** Endpoints that have the same ports, in one address family: they share slices. */
interface Group {
  addressType: string;
  ports: DiscoveryEndpointPort[];
  endpoints: Endpoint[];
}

/**
 * What makes the slices of a service what they should be. `present` are those that this controller made.
 * Endpoints stay in the slice where they are, so that a change touches few slices.
 */
export function planSlices(service: Service | undefined, backends: readonly Backend[], present: readonly EndpointSlice[]): Operation[] {
  if (!service) return present.map((slice) => ({ do: 'delete', what: `delete ${slice.metadata.name}`, cause: 'the service is gone', slice }));
  const groups = groupsOf(service, backends);
  const operations: Operation[] = [];
  const kept = new Set<EndpointSlice>();
  for (const group of groups) {
    const own = present.filter((slice) => slice.addressType === group.addressType && sameJson(portsIn(slice), group.ports));
    for (const slice of own) kept.add(slice);
    operations.push(...planGroup(service, group, own));
  }
  for (const slice of present) {
    if (!kept.has(slice)) operations.push({ do: 'delete', what: `delete ${slice.metadata.name}`, cause: 'its ports are no longer wanted', slice });
  }
  return operations;
}

function portsIn({ ports = [] }: EndpointSlice): DiscoveryEndpointPort[] {
  return ports;
}

function planGroup(service: Service, { addressType, ports, endpoints }: Group, own: readonly EndpointSlice[]): Operation[] {
  const left = new Map(endpoints.map((endpoint) => [endpoint.targetRef?.uid, endpoint]));
  // First what is in a slice already stays there, then the new ones take the free places.
  const filled = own.map((slice) => {
    const stay = (slice.endpoints ?? []).flatMap(({ targetRef }) => left.get(targetRef?.uid) ?? []);
    for (const { targetRef } of stay) left.delete(targetRef?.uid);
    return { slice, endpoints: stay };
  });
  const rest = [...left.values()];
  for (const { endpoints: held } of filled) held.push(...rest.splice(0, Math.max(0, sliceLimit - held.length)));
  const operations: Operation[] = [];
  const needed = Math.max(1, Math.ceil(endpoints.length / sliceLimit));
  let count = filled.length;
  for (const { slice, endpoints: held } of filled) {
    if (held.length === 0 && count > needed) {
      count--;
      operations.push({ do: 'delete', what: `delete ${slice.metadata.name}`, cause: 'it is empty', slice });
    } else {
      operations.push(...planUpdate(service, slice, held));
    }
  }
  while (rest.length > 0 || count === 0) {
    const part = rest.splice(0, sliceLimit);
    count++;
    operations.push({ do: 'create', what: `create slice ${summary(part, ports)}`, cause: `${part.length} endpoints have no slice`, slice: newSlice(service, addressType, ports, part) });
  }
  return operations;
}

function planUpdate(service: Service, slice: EndpointSlice, endpoints: Endpoint[]): Operation[] {
  const labels = labelsOf(service);
  if (sameJson(slice.endpoints ?? [], endpoints) && sameJson(slice.metadata.labels, labels)) return [];
  const changed = { ...slice, metadata: { ...slice.metadata, labels }, endpoints };
  const before = summary(slice.endpoints ?? [], slice.ports);
  return [{ do: 'update', what: `update ${slice.metadata.name} ${summary(endpoints, slice.ports)}`, cause: `it was ${before}`, slice: changed }];
}

function newSlice(service: Service, addressType: string, ports: DiscoveryEndpointPort[], endpoints: Endpoint[]): EndpointSlice {
  const { name, namespace } = service.metadata;
  const owner = controllerReference({ ...service, apiVersion: 'v1', kind: 'Service' });
  const metadata = { generateName: `${name}-`, namespace, labels: labelsOf(service), ownerReferences: [owner] };
  return { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata, addressType, endpoints, ports };
}

function labelsOf(service: Service): { [key: string]: string } {
  const { name = '', labels = {} } = service.metadata;
  return { ...labels, ...(isHeadless(service) && { [headlessLabel]: '' }), [serviceNameLabel]: name, [managedByLabel]: manager };
}

/** There is always a group for each family, if an empty one: a service without endpoints has an empty slice. */
function groupsOf(service: Service, backends: readonly Backend[]): Group[] {
  return (service.spec.ipFamilies ?? ['IPv4']).flatMap((addressType) => {
    const groups = new Map<string, Group>();
    for (const backend of backends) {
      const ip = ipOfFamily(backend, addressType);
      if (ip === undefined) continue;
      const key = JSON.stringify(backend.ports);
      const group = groups.get(key) ?? { addressType, ports: [...backend.ports], endpoints: [] };
      group.endpoints.push(endpointOf(service, backend, ip));
      groups.set(key, group);
    }
    return groups.size === 0 ? [{ addressType, ports: [], endpoints: [] }] : [...groups.values()];
  });
}

function endpointOf(service: Service, { serving, terminating, hostname, nodeName, target }: Backend, ip: string): Endpoint {
  const ready = service.spec.publishNotReadyAddresses === true || (serving && !terminating);
  return {
    addresses: [ip],
    conditions: { ready, serving, terminating },
    ...(hostname !== undefined && { hostname }),
    ...(nodeName !== undefined && { nodeName }),
    targetRef: target,
  };
}

function summary(endpoints: readonly Endpoint[], ports: readonly DiscoveryEndpointPort[] = []): string {
  const shown = endpoints.map(({ addresses, conditions }) => {
    const state = conditions?.terminating ? (conditions.serving ? '~' : '-') : conditions?.ready ? '' : '!';
    return `${state}${addresses.join('+')}`;
  });
  return `[${shown.join(',')}:${ports.map(({ port }) => port).join(',')}]`;
}
