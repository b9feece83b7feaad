import type { Service } from '#api/kube/types.ts';
import type { KubeObject } from '#api/kube/types.ts';
import type { Core } from '../core.ts';
import type { AddressPool } from '../services/addresses.ts';
import { addressPool } from '../services/addresses.ts';
import type { Cidr } from '../services/cidr.ts';
import type { PortPool } from '../services/node-ports.ts';
import { portPool, wantsNodePorts } from '../services/node-ports.ts';
import type { AdmissionRequest, AdmissionStep } from '../types.ts';

/**
 * Gives Services their cluster addresses and node ports. Each one taken is a key of its own in the store, written in
 * the Service's own transaction: so none is given out twice, also by several servers, and none outlives its Service.
 */
export function serviceAddresses(core: Core, cidr: Cidr, nodePorts: { first: number; last: number }): AdmissionStep {
  const addresses = addressPool(core, cidr);
  const ports = portPool(core, nodePorts);
  return {
    name: 'service-addresses',
    admit: (request) => {
      const { resource, subresource, operation, object, old } = request;
      if (resource.plural !== 'services' || resource.group !== '' || subresource !== '') return;
      const before = old as unknown as Service | undefined;
      if (operation === 'DELETE') {
        release(request, addresses, ports, before);
        return;
      }
      const service = object as KubeObject & Service;
      carryAddresses(service, before);
      addresses.assign(request, service, before);
      ports.assign(request, service, before);
    },
  };
}

function release({ also }: AdmissionRequest, addresses: AddressPool, ports: PortPool, service: Service | undefined): void {
  for (const key of [...addresses.keysOf(service), ...ports.keysOf(service)]) also.then.push({ op: 'delete', key });
}

/** An update that leaves addresses and node ports out keeps those that the Service has. */
function carryAddresses({ spec }: Service, before: Service | undefined): void {
  if (!before || spec.type === 'ExternalName' || before.spec.type === 'ExternalName') return;
  if ((spec.clusterIP ?? '') === '') {
    spec.clusterIP = before.spec.clusterIP;
    spec.clusterIPs = before.spec.clusterIPs && [...before.spec.clusterIPs];
  }
  if (!wantsNodePorts(spec) || !wantsNodePorts(before.spec)) return;
  for (const port of spec.ports ?? []) {
    if ((port.nodePort ?? 0) !== 0) continue;
    const same = (before.spec.ports ?? []).find((other) => other.port === port.port && (other.protocol ?? 'TCP') === (port.protocol ?? 'TCP'));
    const taken = (spec.ports ?? []).some((other) => other.nodePort === same?.nodePort && other !== port);
    if (same?.nodePort !== undefined && !taken) port.nodePort = same.nodePort;
  }
}
