import { isIPv6 } from 'node:net';
import type { Endpoint, EndpointAddress, EndpointSlice, Endpoints, Service } from '#api/kube/types.ts';
import { controllerReference } from '#cluster/machinery/owners.ts';
import type { Group, Operation } from '../endpointslice/slices.ts';
import { deleteAll, managedByLabel, planSliceGroups, serviceNameLabel } from '../endpointslice/slices.ts';

export const manager = 'endpointslicemirroring-controller.k8s.io';

const skipLabel = 'endpointslice.kubernetes.io/skip-mirror';
const leaderAnnotation = 'control-plane.alpha.kubernetes.io/leader';
/** Addresses of one subset that are mirrored; what is beyond is left out. */
const subsetLimit = 1000;

/** What makes the slices that mirror hand-made Endpoints what they should be. */
export function planMirror(service: Service | undefined, endpoints: Endpoints | undefined, present: readonly EndpointSlice[]): Operation[] {
  if (!endpoints) return deleteAll(present, 'the endpoints are gone');
  if (!service) return deleteAll(present, 'the service is gone');
  // With a selector its endpoints are found by it.
  if (service.spec.selector !== undefined) return deleteAll(present, 'the service has a selector');
  const { name = '', namespace, labels: own = {}, annotations = {} } = endpoints.metadata;
  if (own[skipLabel] === 'true' || annotations[leaderAnnotation] !== undefined) return deleteAll(present, 'they are not to be mirrored');
  const ownerReferences = [controllerReference({ ...endpoints, apiVersion: 'v1', kind: 'Endpoints' })];
  const labels = { ...own, [serviceNameLabel]: name, [managedByLabel]: manager };
  return planSliceGroups({ generateName: `${name}-`, namespace, labels, ownerReferences }, groupsOf(endpoints), present);
}

function groupsOf({ subsets = [] }: Endpoints): Group[] {
  const groups = new Map<string, Group>();
  for (const { addresses = [], notReadyAddresses = [], ports = [] } of subsets) {
    const all = [...addresses.map((address) => endpointOf(address, true)), ...notReadyAddresses.map((address) => endpointOf(address, false))];
    for (const endpoint of all.slice(0, subsetLimit)) {
      const addressType = endpoint.addresses.some(isIPv6) ? 'IPv6' : 'IPv4';
      const key = JSON.stringify([addressType, ports]);
      const named = ports.map(({ name = '', protocol = 'TCP', ...port }) => ({ ...port, name, protocol }));
      const group = groups.get(key) ?? { addressType, ports: named, endpoints: [] };
      group.endpoints.push(endpoint);
      groups.set(key, group);
    }
  }
  return [...groups.values()];
}

function endpointOf({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname !== undefined && { hostname }),
    ...(nodeName !== undefined && { nodeName }),
    ...(targetRef !== undefined && { targetRef }),
  };
}
