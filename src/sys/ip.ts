/** IP addresses between text and bytes, for socket addresses and netlink. */
import { Fault } from '#lib/errors.ts';
import { isIP } from 'node:net';

/** 4 or 16 bytes; `invalid` where the text is no address (a zone, `%eth0`, is refused). */
export function addressBytes(text: string): Buffer {
  const family = isIP(text);
  if (family === 4) return Buffer.from(text.split('.').map(Number));
  if (family !== 6 || text.includes('%')) throw new Fault('invalid', `"${text}" is not an IP address; give one like 10.0.0.1 or fd00::1`);
  const bytes = Buffer.alloc(16);
  const [head = '', tail] = text.split('::');
  const front = groups(head);
  const back = tail === undefined ? [] : groups(tail);
  front.forEach((group, i) => bytes.writeUInt16BE(group, i * 2));
  back.forEach((group, i) => bytes.writeUInt16BE(group, 16 - (back.length - i) * 2));
  return bytes;
}

function groups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((part) => {
    if (!part.includes('.')) return [Number.parseInt(part, 16)];
    const v4 = Buffer.from(part.split('.').map(Number));
    return [v4.readUInt16BE(0), v4.readUInt16BE(2)];
  });
}

/** The text of 4 or 16 bytes, IPv6 in its shortest form (RFC 5952). */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const view = Buffer.from(bytes);
  const words = Array.from({ length: 8 }, (_, i) => view.readUInt16BE(i * 2));
  const run = longestZeroRun(words);
  const hex = (part: number[]): string => part.map((word) => word.toString(16)).join(':');
  if (run.length < 2) return hex(words);
  return `${hex(words.slice(0, run.start))}::${hex(words.slice(run.start + run.length))}`;
}

function longestZeroRun(words: number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < words.length; start++) {
    let length = 0;
    while (words[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}

export interface Prefix {
  address: Buffer;
  length: number;
  family: 4 | 6;
}

/** `10.0.0.1/24`; a bare address is one host. */
export function parsePrefix(text: string): Prefix {
  const [host = '', bits] = text.split('/');
  const address = addressBytes(host);
  const most = address.length * 8;
  const length = bits === undefined ? most : Number(bits);
  if (bits !== undefined && (!/^\d{1,3}$/.test(bits) || length > most)) {
    throw new Fault('invalid', `"${text}" is not an address in CIDR form; the prefix is at most /${most}`);
  }
  return { address, length, family: address.length === 4 ? 4 : 6 };
}

export function prefixText(address: Uint8Array, length: number): string {
  return `${addressText(address)}/${length}`;
}

/** The address with all bits after the prefix cleared. */
export function networkOf(prefix: Prefix): Buffer {
  return Buffer.from(prefix.address.map((byte, i) => {
    const bits = Math.min(8, Math.max(0, prefix.length - i * 8));
    return byte & (0xff << (8 - bits));
  }));
}
