import type { Endpoint, EndpointSlice, Service } from '#api/kube/types.ts';
import { controllerReference } from '#cluster/machinery/owners.ts';
import type { Backend } from '../endpoints/observe.ts';
import { headlessLabel, ipOfFamily, isHeadless } from '../endpoints/observe.ts';
import type { Group, Operation, SliceMetadata } from './slices.ts';
import { deleteAll, managedByLabel, planSliceGroups, serviceNameLabel } from './slices.ts';

export const manager = 'endpointslice-controller.k8s.io';

/** What makes the slices of a service what they should be. `present` are those that this controller made. */
export function planSlices(service: Service | undefined, backends: readonly Backend[], present: readonly EndpointSlice[]): Operation[] {
  if (!service) return deleteAll(present, 'the service is gone');
  return planSliceGroups(metadataOf(service), groupsOf(service, backends), present);
}

function metadataOf(service: Service): SliceMetadata {
  const { name = '', namespace, labels: own = {} } = service.metadata;
  const labels = { ...own, ...(isHeadless(service) && { [headlessLabel]: '' }), [serviceNameLabel]: name, [managedByLabel]: manager };
  const ownerReferences = [controllerReference({ ...service, apiVersion: 'v1', kind: 'Service' })];
  return { generateName: `${name}-`, namespace, labels, ownerReferences };
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
