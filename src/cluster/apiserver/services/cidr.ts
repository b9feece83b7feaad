/** IPv4 ranges for Service addresses. */
import { isIPv4 } from 'node:net';
import { Fault } from '#lib/errors.ts';

export interface Cidr {
  /** The range's first address, as a number. */
  base: number;
  /** How many addresses it has. */
  size: number;
}

/** Throws `invalid` unless it is an IPv4 range of at least 16 addresses. */
export function parseCidr(text: string): Cidr {
  const [address = '', bits = ''] = text.split('/');
  const prefix = Number(bits);
  if (!isIPv4(address) || !/^\d+$/.test(bits) || prefix < 8 || prefix > 28) {
    throw new Fault('invalid', `service CIDR "${text}" is not valid: give an IPv4 range such as 10.96.0.0/16, from /8 to /28`);
  }
  const size = 2 ** (32 - prefix);
  const base = numberOf(address);
  return { base: base - (base % size), size };
}

/** The address at `offset` in the range. */
export function addressOf({ base }: Cidr, offset: number): string {
  const value = base + offset;
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

/** Where the address is in the range; undefined outside it. */
export function offsetOf({ base, size }: Cidr, address: string): number | undefined {
  if (!isIPv4(address)) return undefined;
  const offset = numberOf(address) - base;
  return offset >= 0 && offset < size ? offset : undefined;
}

function numberOf(address: string): number {
  return address.split('.').reduce((value, part) => value * 256 + Number(part), 0);
}
