/** Endpoints: the addresses behind a service, as they were written before endpoint slices. */
import { isIP } from 'node:net';
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

/** An address that traffic may be sent to. */
export function validateAddress(ip: string, path: string): FieldError[] {
  if (isIP(ip) === 0) return [fieldError.invalid(path, ip, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')];
  if (/^(0\.0\.0\.0|::)$/.test(ip)) return [fieldError.invalid(path, ip, `may not be unspecified (${ip})`)];
  if (/^(127\.|::1$)/.test(ip)) return [fieldError.invalid(path, ip, 'may not be in the loopback range (127.0.0.0/8, ::1/128)')];
  if (/^(169\.254\.|fe80:)/i.test(ip)) return [fieldError.invalid(path, ip, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)')];
  if (/^(224\.0\.0\.|ff02:)/i.test(ip)) return [fieldError.invalid(path, ip, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)')];
  return [];
}
