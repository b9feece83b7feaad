/** Endpoint slices: a part of the addresses behind a service. */
import { isIP } from 'node:net';
import { type FieldError, fieldError } from '#api/kube/field-errors.ts';
import { dnsLabelErrors, dnsSubdomainErrors, portNumberErrors } from '#api/kube/names.ts';
import type { Endpoint, EndpointSlice } from '#api/kube/types.ts';
import { ageColumn, ageOf, column, listWithMore, nameColumn, nameOf } from '../columns.ts';
import { oneOf, protocols } from '../core/container-validation.ts';
import { validateAddress } from '../core/endpoints.ts';
import { defineResource, immutable } from '../resource.ts';

const maxEndpoints = 1000;
const maxAddresses = 100;
const maxPorts = 20_000;
const types = ['FQDN', 'IPv4', 'IPv6'];

export const endpointSlices = defineResource<EndpointSlice>({
  group: 'discovery.k8s.io',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  generationOf: ({ endpoints, ports }) => [endpoints, ports],
  columns: [
    nameColumn,
    column('AddressType', 'IPv4, IPv6 or FQDN.'),
    column('Ports', 'The first ports.'),
    column('Endpoints', 'The first addresses.'),
    ageColumn,
  ],
  row: (slice, context) => {
    const ports = (slice.ports ?? []).map(({ port, name }) => (port === undefined ? name || '*' : String(port)));
    const addresses = (slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses);
    return [nameOf(slice), slice.addressType, listWithMore(ports, '<unset>'), listWithMore(addresses, '<unset>'), ageOf(slice, context)];
  },
  defaults: (slice) => {
    for (const port of slice.ports ?? []) {
      port.name ??= '';
      port.protocol ??= 'TCP';
    }
  },
  validate: (slice) => [
    ...oneOf('addressType', slice.addressType, types),
    ...validateEndpoints(slice),
    ...validatePorts(slice),
  ],
  validateUpdate: (slice, old) => immutable('addressType', slice.addressType, old.addressType),
});

function validateEndpoints(slice: EndpointSlice): FieldError[] {
  const endpoints = slice.endpoints ?? [];
  if (endpoints.length > maxEndpoints) return [fieldError.tooMany('endpoints', endpoints.length, maxEndpoints)];
  return endpoints.flatMap((endpoint, index) => validateEndpoint(endpoint, `endpoints[${index}]`, slice.addressType));
}

function validateEndpoint(endpoint: Endpoint, path: string, type: string): FieldError[] {
  const addresses = endpoint.addresses ?? [];
  const errors: FieldError[] = [];
  if (addresses.length === 0) errors.push(fieldError.required(`${path}.addresses`, 'must contain at least 1 address'));
  if (addresses.length > maxAddresses) errors.push(fieldError.tooMany(`${path}.addresses`, addresses.length, maxAddresses));
  for (const [index, address] of addresses.entries()) {
    const at = `${path}.addresses[${index}]`;
    if (type === 'FQDN') errors.push(...dnsSubdomainErrors(address).map((detail) => fieldError.invalid(at, address, detail)));
    else if (isIP(address) !== (type === 'IPv6' ? 6 : 4)) errors.push(fieldError.invalid(at, address, `must be an ${type} address`));
    else errors.push(...validateAddress(address, at));
  }
  const { hostname } = endpoint;
  if (hostname) errors.push(...dnsLabelErrors(hostname).map((detail) => fieldError.invalid(`${path}.hostname`, hostname, detail)));
  return errors;
}

function validatePorts(slice: EndpointSlice): FieldError[] {
  const ports = slice.ports ?? [];
  if (ports.length > maxPorts) return [fieldError.tooMany('ports', ports.length, maxPorts)];
  const names = new Set<string>();
  return ports.flatMap((port, index) => {
    const path = `ports[${index}]`;
    const errors: FieldError[] = [];
    const { name = '' } = port;
    if (name !== '') errors.push(...dnsLabelErrors(name).map((detail) => fieldError.invalid(`${path}.name`, name, detail)));
    if (names.has(name)) errors.push(fieldError.duplicate(`${path}.name`, name));
    names.add(name);
    if (port.port !== undefined) errors.push(...portNumberErrors(port.port).map((detail) => fieldError.invalid(`${path}.port`, port.port, detail)));
    return [...errors, ...oneOf(`${path}.protocol`, port.protocol, protocols)];
  });
}
