/** Endpoints: the addresses behind a service, as they were written before endpoint slices. */
import { BlockList, isIP } from 'node:net';
import { type FieldError, fieldError } from '#api/kube/field-errors.ts';
import { portNumberErrors } from '#api/kube/names.ts';
import type { EndpointSubset, Endpoints } from '#api/kube/types.ts';
import { ageColumn, ageOf, column, hostPort, listWithMore, nameColumn, nameOf } from '../columns.ts';
import { defineResource } from '../resource.ts';
import { oneOf, protocols } from './container-validation.ts';

export const endpoints = defineResource<Endpoints>({
  kind: 'Endpoints',
  plural: 'endpoints',
  shortNames: ['ep'],
  allowCreateOnUpdate: true,
  columns: [nameColumn, column('Endpoints', 'The first addresses, with their ports.'), ageColumn],
  row: (object, context) => [nameOf(object), listWithMore((object.subsets ?? []).flatMap(addresses), '<none>'), ageOf(object, context)],
  defaults: (object) => {
    for (const subset of object.subsets ?? []) for (const port of subset.ports ?? []) port.protocol ??= 'TCP';
  },
  validate: (object) => (object.subsets ?? []).flatMap((subset, index) => validateSubset(subset, `subsets[${index}]`)),
});

function addresses(subset: EndpointSubset): string[] {
  const all = (subset.addresses ?? []).map(({ ip }) => ip);
  if ((subset.ports ?? []).length === 0) return all;
  return (subset.ports ?? []).flatMap(({ port }) => all.map((ip) => hostPort(ip, port)));
}

function validateSubset(subset: EndpointSubset, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if ((subset.addresses ?? []).length + (subset.notReadyAddresses ?? []).length === 0) {
    errors.push(fieldError.required(path, 'must specify `addresses` or `notReadyAddresses`'));
  }
  for (const list of ['addresses', 'notReadyAddresses'] as const) {
    for (const [index, { ip }] of (subset[list] ?? []).entries()) errors.push(...validateAddress(ip, `${path}.${list}[${index}].ip`));
  }
  for (const [index, port] of (subset.ports ?? []).entries()) {
    const at = `${path}.ports[${index}]`;
    if (port.name === undefined && (subset.ports ?? []).length > 1) errors.push(fieldError.required(`${at}.name`));
    for (const detail of portNumberErrors(port.port)) errors.push(fieldError.invalid(`${at}.port`, port.port, detail));
    errors.push(...oneOf(`${at}.protocol`, port.protocol, protocols));
  }
  return errors;
}

const refusedRanges: readonly [detail: (ip: string) => string, ranges: BlockList][] = [
  [(ip) => `may not be unspecified (${ip})`, rangesOf('0.0.0.0/32', '::/128')],
  [() => 'may not be in the loopback range (127.0.0.0/8, ::1/128)', rangesOf('127.0.0.0/8', '::1/128')],
  [() => 'may not be in the link-local range (169.254.0.0/16, fe80::/10)', rangesOf('169.254.0.0/16', 'fe80::/10')],
  [() => 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)', rangesOf('224.0.0.0/24', 'ff02::/16')],
];

function rangesOf(...ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', bits] = range.split('/');
    list.addSubnet(address, Number(bits), address.includes(':') ? 'ipv6' : 'ipv4');
  }
  return list;
}

/** An address that traffic may be sent to, however it is written: an IPv4 address in IPv6 form is what it stands for. */
export function validateAddress(ip: string, path: string): FieldError[] {
  const version = isIP(ip);
  if (version === 0) return [fieldError.invalid(path, ip, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')];
  const found = refusedRanges.find(([, ranges]) => ranges.check(ip, version === 6 ? 'ipv6' : 'ipv4'));
  return found ? [fieldError.invalid(path, ip, found[0](ip))] : [];
}
