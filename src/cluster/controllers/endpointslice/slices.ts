import type { DiscoveryEndpointPort, Endpoint, EndpointSlice, ObjectMeta } from '#api/kube/types.ts';
import { sameJson } from '#cluster/machinery/equal.ts';
import type { Planned } from '../planned.ts';

export const serviceNameLabel = 'kubernetes.io/service-name';
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by';
/** Endpoints in one slice. */
const sliceLimit = 100;

export type Operation = Planned & { do: 'create' | 'update' | 'delete'; slice: EndpointSlice };

/** Endpoints that have the same ports, in one address family: they share slices. */
export interface Group {
  addressType: string;
  ports: DiscoveryEndpointPort[];
  endpoints: Endpoint[];
}

/** What all slices of one service have: `labels` are kept so, the rest is given to new ones. */
export type SliceMetadata = Pick<ObjectMeta, 'generateName' | 'namespace' | 'ownerReferences'> & { labels: { [key: string]: string } };

export function deleteAll(present: readonly EndpointSlice[], cause: string): Operation[] {
  return present.map((slice) => ({ do: 'delete', what: `delete ${slice.metadata.name}`, cause, slice }));
}

/**
 * What makes the slices that are there hold the groups. Endpoints stay in the slice where they are, so that a
 * change touches few slices.
 */
export function planSliceGroups(metadata: SliceMetadata, groups: readonly Group[], present: readonly EndpointSlice[]): Operation[] {
  const operations: Operation[] = [];
  const kept = new Set<EndpointSlice>();
  for (const group of groups) {
    const own = present.filter(({ addressType, ports = [] }) => addressType === group.addressType && sameJson(ports, group.ports));
    for (const slice of own) kept.add(slice);
    operations.push(...planGroup(metadata, group, own));
  }
  return [...operations, ...deleteAll(present.filter((slice) => !kept.has(slice)), 'its ports are no longer wanted')];
}

/** Which of a service's endpoints it is. */
function identityOf({ targetRef, addresses }: Endpoint): string {
  return targetRef?.uid ?? addresses.join();
}

function planGroup(metadata: SliceMetadata, { addressType, ports, endpoints }: Group, own: readonly EndpointSlice[]): Operation[] {
  const left = new Map(endpoints.map((endpoint) => [identityOf(endpoint), endpoint]));
  // First what is in a slice already stays there, then the new ones take the free places.
  const filled = own.map((slice) => {
    const stay = (slice.endpoints ?? []).flatMap((endpoint) => left.get(identityOf(endpoint)) ?? []);
    for (const endpoint of stay) left.delete(identityOf(endpoint));
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
      operations.push(...deleteAll([slice], 'it is empty'));
    } else {
      operations.push(...planUpdate(metadata, slice, held));
    }
  }
  while (rest.length > 0 || count === 0) {
    const part = rest.splice(0, sliceLimit);
    count++;
    const slice: EndpointSlice = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata: { ...metadata }, addressType, endpoints: part, ports };
    operations.push({ do: 'create', what: `create slice ${summary(part, ports)}`, cause: `${part.length} endpoints have no slice`, slice });
  }
  return operations;
}

function planUpdate({ labels }: SliceMetadata, slice: EndpointSlice, endpoints: Endpoint[]): Operation[] {
  if (sameJson(slice.endpoints ?? [], endpoints) && sameJson(slice.metadata.labels, labels)) return [];
  const changed = { ...slice, metadata: { ...slice.metadata, labels }, endpoints };
  const before = summary(slice.endpoints ?? [], slice.ports);
  return [{ do: 'update', what: `update ${slice.metadata.name} ${summary(endpoints, slice.ports)}`, cause: `it was ${before}`, slice: changed }];
}

/** Ready, not ready (!), going and still serving (~), or going (-). */
function summary(endpoints: readonly Endpoint[], ports: readonly DiscoveryEndpointPort[] = []): string {
  const shown = endpoints.map(({ addresses, conditions }) => {
    const state = conditions?.terminating ? (conditions.serving ? '~' : '-') : conditions?.ready ? '' : '!';
    return `${state}${addresses.join('+')}`;
  });
  return `[${shown.join(',')}:${ports.map(({ port }) => port).join(',')}]`;
}
