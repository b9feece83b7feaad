import type { Service } from '#api/kube/types.ts';
import { fieldError } from '#api/kube/field-errors.ts';
import type { Core } from '../core.ts';
import { invalidObject, statusFault } from '../status.ts';
import type { AdmissionRequest } from '../types.ts';
import type { Cidr } from './cidr.ts';
import { addressOf, offsetOf } from './cidr.ts';
import { take } from './taken.ts';

const prefix = '/allocated/service-addresses/';
/** Random places that are tried before all are looked through. */
const randomTries = 32;
/** Addresses at the range's start that are given out only when asked for by name, at most. */
const mostReserved = 256;
const leastReserved = 16;
const reservedShare = 16;

export interface AddressPool {
  /** Settles the Service's cluster address; what is taken and released goes into the request's transaction. */
  assign(request: AdmissionRequest, service: Service, before: Service | undefined): void;
  /** The keys of what the Service holds. */
  keysOf(service: Service | undefined): string[];
}

export function addressPool(core: Core, cidr: Cidr): AddressPool {
  const used = (): Set<string> => {
    const services = core.objects.find(core.resources.find('', 'v1', 'services'));
    const all = services ? [...services.cache.scan(services.cache.prefix)] : [];
    return new Set(all.flatMap(({ object }) => (object as unknown as Service).spec.clusterIPs ?? []));
  };
  const keysOf = (service: Service | undefined): string[] => addressesOf(service).map((address) => prefix + address);
  return {
    keysOf,
    assign: (request, service, before) => {
      const { spec } = service;
      const held = keysOf(before);
      if (spec.type === 'ExternalName') {
        if (before && before.spec.type !== 'ExternalName') clear(service);
      } else if (spec.clusterIP !== 'None') {
        const asked = spec.clusterIP ?? '';
        // What the Service has stays: validation says so.
        if (asked !== '' && held.length > 0 && before?.spec.clusterIP !== asked) return;
        const address = asked === '' ? (spec.clusterIPs?.[0] ?? choose(core, cidr, used())) : asked;
        spec.clusterIP = address;
        spec.clusterIPs ??= [address];
        checkRange(request, cidr, address);
      } else spec.clusterIPs ??= ['None'];
      setFamilies(request, service);
      take(request, held, keysOf(service), (key) => {
        const message = `failed to allocate IP ${key.slice(prefix.length)}: provided IP is already allocated`;
        const exists = used().has(key.slice(prefix.length));
        return exists ? invalidObject(request.resource, request.name, [fieldError.invalid('spec.clusterIPs', spec.clusterIPs, message)]) : undefined;
      });
    },
  };
}

function addressesOf(service: Service | undefined): string[] {
  if (!service || service.spec.type === 'ExternalName') return [];
  return [service.spec.clusterIP ?? ''].filter((address) => address !== '' && address !== 'None');
}

function clear({ spec }: Service): void {
  delete spec.clusterIP;
  delete spec.clusterIPs;
  delete spec.ipFamilies;
  delete spec.ipFamilyPolicy;
}

/** The cluster has IPv4 alone; a Service that would rather have both families gets the one. */
function setFamilies({ resource, name }: AdmissionRequest, { spec }: Service): void {
  if (spec.type === 'ExternalName') return;
  const refuse = (field: string, value: unknown, detail: string): Error => invalidObject(resource, name, [fieldError.invalid(`spec.${field}`, value, detail)]);
  spec.ipFamilies ??= ['IPv4'];
  spec.ipFamilyPolicy ??= 'SingleStack';
  const foreign = spec.ipFamilies.findIndex((family) => family !== 'IPv4');
  if (foreign >= 0) throw refuse(`ipFamilies[${foreign}]`, spec.ipFamilies[foreign], 'not configured on this cluster');
  if (spec.ipFamilyPolicy === 'RequireDualStack') {
    throw refuse('ipFamilyPolicy', spec.ipFamilyPolicy, 'this cluster is not configured for dual-stack services');
  }
}

function checkRange({ resource, name }: AdmissionRequest, cidr: Cidr, address: string): void {
  const offset = offsetOf(cidr, address);
  if (offset !== undefined && offset > 0 && offset < cidr.size - 1) return;
  const detail = `failed to allocate IP ${address}: the provided network does not match the current range`;
  throw invalidObject(resource, name, [fieldError.invalid('spec.clusterIPs', [address], detail)]);
}

/** A free address, from the range's upper part while there is one. */
function choose(core: Core, cidr: Cidr, used: ReadonlySet<string>): string {
  const reserved = Math.min(mostReserved, Math.max(leastReserved, Math.floor(cidr.size / reservedShare)), cidr.size - 2);
  for (let i = 0; i < randomTries && reserved < cidr.size - 2; i++) {
    const address = addressOf(cidr, reserved + core.random.int(cidr.size - 1 - reserved));
    if (!used.has(address)) return address;
  }
  for (let offset = cidr.size - 2; offset > 0; offset--) {
    const address = addressOf(cidr, offset);
    if (!used.has(address)) return address;
  }
  throw statusFault('exhausted', 'failed to allocate a cluster IP: the service address range is full', { code: 500, reason: 'InternalError' });
}
