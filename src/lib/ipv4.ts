/** IPv4 addresses as unsigned 32-bit numbers, and blocks of them in CIDR form. */
export interface Ipv4Block {
  /** The first address of the block. */
  base: number;
  prefix: number;
}

const decimal = /^(0|[1-9]\d{0,2})$/;

/** `10.0.0.1` as a number; undefined for anything else (no octal, no short forms). */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!decimal.test(part) || Number(part) > 255) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
}

export function formatIpv4(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
}

/** `10.0.0.7/24`: the block (10.0.0.0/24) and the address within it; undefined if malformed. */
export function parseCidr(text: string): (Ipv4Block & { address: number }) | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const address = parseIpv4(text.slice(0, slash));
  const length = text.slice(slash + 1);
  if (address === undefined || !/^(\d|[12]\d|3[0-2])$/.test(length)) return undefined;
  const prefix = Number(length);
  return { address, prefix, base: (address & mask(prefix)) >>> 0 };
}

export function formatBlock(block: Ipv4Block): string {
  return `${formatIpv4(block.base)}/${block.prefix}`;
}

/** How many addresses the block holds. */
export function blockSize(block: Ipv4Block): number {
  return 2 ** (32 - block.prefix);
}

export function contains(block: Ipv4Block, address: number): boolean {
  return address >= block.base && address < block.base + blockSize(block);
}

export function overlaps(a: Ipv4Block, b: Ipv4Block): boolean {
  return contains(a, b.base) || contains(b, a.base);
}

function mask(prefix: number): number {
  return prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0;
}
