import type { Service, ServicePort, ServiceSpec } from '#api/kube/types.ts';
import { fieldError } from '#api/kube/field-errors.ts';
import type { Core } from '../core.ts';
import { invalidObject, statusFault } from '../status.ts';
import type { AdmissionRequest } from '../types.ts';
import { take } from './taken.ts';

const prefix = '/allocated/node-ports/';
const randomTries = 32;

export interface PortPool {
  /** Settles the node port of each port; what is taken and released goes into the request's transaction. */
  assign(request: AdmissionRequest, service: Service, before: Service | undefined): void;
  keysOf(service: Service | undefined): string[];
}

export function wantsNodePorts({ type, allocateLoadBalancerNodePorts: allocate }: ServiceSpec): boolean {
  return type === 'NodePort' || (type === 'LoadBalancer' && allocate !== false);
}

export function portPool(core: Core, { first, last }: { first: number; last: number }): PortPool {
  const used = (): Set<string> => {
    const services = core.objects.find(core.resources.find('', 'v1', 'services'));
    const all = services ? [...services.cache.scan(services.cache.prefix)] : [];
    return new Set(all.flatMap(({ object }) => keysOf(object as unknown as Service)));
  };
  return {
    keysOf,
    assign: (request, service, before) => {
      const { spec } = service;
      const held = keysOf(before);
      const ports = spec.ports ?? [];
      if (!wantsNodePorts(spec) && before && wantsNodePorts(before.spec)) dropOld(ports, before);
      if (wantsNodePorts(spec)) {
        const busy = new Set([...used(), ...ports.map(keyOf)]);
        for (const key of held) busy.delete(key);
        for (const port of ports) {
          if ((port.nodePort ?? 0) === 0) port.nodePort = choose(core, first, last, port, busy);
          busy.add(keyOf(port));
        }
      }
      for (const [i, { nodePort = 0 }] of ports.entries()) {
        if (nodePort === 0 || (nodePort >= first && nodePort <= last)) continue;
        const detail = `provided port is not in the valid range. The range of valid ports is ${first}-${last}`;
        throw invalidObject(request.resource, request.name, [fieldError.invalid(`spec.ports[${i}].nodePort`, nodePort, detail)]);
      }
      take(request, held, keysOf(service), (key) => {
        if (!used().has(key)) return undefined;
        const index = ports.findIndex((port) => keyOf(port) === key);
        const error = fieldError.invalid(`spec.ports[${index}].nodePort`, ports[index]?.nodePort, 'provided port is already allocated');
        return invalidObject(request.resource, request.name, [error]);
      });
    },
  };
}

function keyOf({ protocol = 'TCP', nodePort = 0 }: ServicePort): string {
  return `${prefix}${protocol}/${nodePort}`;
}

function keysOf(service: Service | undefined): string[] {
  return (service?.spec.ports ?? []).filter(({ nodePort = 0 }) => nodePort !== 0).map(keyOf);
}

/** A Service that has no node ports any more lets go of those that it did not ask for anew. */
function dropOld(ports: ServicePort[], before: Service): void {
  const old = new Set((before.spec.ports ?? []).map(({ nodePort }) => nodePort));
  for (const port of ports) if (old.has(port.nodePort)) delete port.nodePort;
}

function choose(core: Core, first: number, last: number, port: ServicePort, busy: ReadonlySet<string>): number {
  const free = (nodePort: number): boolean => !busy.has(keyOf({ ...port, nodePort }));
  for (let i = 0; i < randomTries; i++) {
    const nodePort = first + core.random.int(last - first + 1);
    if (free(nodePort)) return nodePort;
  }
  for (let nodePort = first; nodePort <= last; nodePort++) if (free(nodePort)) return nodePort;
  throw statusFault('exhausted', `failed to allocate a nodePort: all of ${first}-${last} are taken`, { code: 500, reason: 'InternalError' });
}
