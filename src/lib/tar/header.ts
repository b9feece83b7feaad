import { Fault } from '../errors.ts';
import { tarBlock } from './types.ts';

/** One 512-byte header block, as it is written: extensions not applied. */
export interface RawHeader {
  name: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  /** Seconds. */
  mtime: number;
  flag: string;
  linkName: string;
  userName: string;
  groupName: string;
  devMajor: number;
  devMinor: number;
}

/** The header, or undefined for a block of zeros (the end of the archive). */
export function decodeHeader(block: Buffer): RawHeader | undefined {
  const { unsigned, signed } = checksums(block);
  const stored = octal(block, 148, 8);
  if (unsigned !== stored && signed !== stored) {
    if (unsigned === 8 * 0x20) return undefined;
    throw new Fault('invalid', 'tar: invalid header (wrong checksum); this is no tar archive, or it is damaged');
  }
  const ustar = block.toString('latin1', 257, 263) === 'ustar\0';
  const gnu = block.toString('latin1', 257, 265) === 'ustar  \0';
  const prefix = ustar ? text(block, 345, 155) : '';
  const name = text(block, 0, 100);
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    mode: number(block, 100, 8),
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    size: number(block, 124, 12),
    mtime: number(block, 136, 12, true),
    flag: block[156] === 0 ? '0' : String.fromCharCode(block[156]!),
    linkName: text(block, 157, 100),
    userName: ustar || gnu ? text(block, 265, 32) : '',
    groupName: ustar || gnu ? text(block, 297, 32) : '',
    devMajor: ustar || gnu ? number(block, 329, 8) : 0,
    devMinor: ustar || gnu ? number(block, 337, 8) : 0,
  };
}

/** The block of a header whose texts fit their fields (see `fits`). */
export function encodeHeader(header: RawHeader, prefix = ''): Buffer {
  const block = Buffer.alloc(tarBlock);
  block.write(header.name, 0, 100);
  writeNumber(block, header.mode, 100, 8);
  writeNumber(block, header.uid, 108, 8);
  writeNumber(block, header.gid, 116, 8);
  writeNumber(block, header.size, 124, 12);
  writeNumber(block, Math.max(0, header.mtime), 136, 12);
  block.write(header.flag, 156, 'latin1');
  block.write(header.linkName, 157, 100);
  block.write('ustar\0' + '00', 257, 'latin1');
  block.write(header.userName, 265, 31);
  block.write(header.groupName, 297, 31);
  writeNumber(block, header.devMajor, 329, 8);
  writeNumber(block, header.devMinor, 337, 8);
  block.write(prefix, 345, 155);
  block.write(`${checksums(block).unsigned.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** Whether a number fits an octal field of `width` bytes. */
export function fitsOctal(value: number, width: number): boolean {
  return value >= 0 && value < 8 ** (width - 1);
}

function checksums(block: Buffer): { unsigned: number; signed: number } {
  let unsigned = 8 * 0x20;
  let high = 0;
  for (let i = 0; i < tarBlock; i++) {
    if (i >= 148 && i < 156) continue;
    const byte = block[i]!;
    unsigned += byte;
    if (byte > 127) high++;
  }
  return { unsigned, signed: unsigned - high * 256 };
}

function text(block: Buffer, start: number, length: number): string {
  const field = block.subarray(start, start + length);
  const zero = field.indexOf(0);
  // Lossy: a long name is cut here in the middle of a character, and what counts is in an extension header.
  return field.toString('utf8', 0, zero < 0 ? length : zero);
}

function octal(block: Buffer, start: number, length: number): number {
  const field = block.toString('latin1', start, start + length).replace(/\0.*$/s, '').trim();
  if (field === '') return 0;
  return /^[0-7]+$/.test(field) ? Number.parseInt(field, 8) : Number.NaN;
}

/** Octal, or base 256 where the top bit is set. */
function number(block: Buffer, start: number, length: number, negative = false): number {
  const first = block[start]!;
  let value: number;
  if (first & 0x80) {
    const bytes = Buffer.from(block.subarray(start, start + length));
    let big = 0n;
    for (const byte of bytes) big = (big << 8n) | BigInt(byte);
    const bits = BigInt(length * 8);
    // 0x80 marks a positive number, 0xff the two's complement of a negative one.
    value = Number(first === 0xff ? big - (1n << bits) : big & ((1n << (bits - 1n)) - 1n));
  } else value = octal(block, start, length);
  if (!Number.isSafeInteger(value) || (value < 0 && !negative)) {
    throw new Fault('invalid', 'tar: invalid number in a header; the archive is damaged');
  }
  return value;
}

function writeNumber(block: Buffer, value: number, start: number, width: number): void {
  if (fitsOctal(value, width)) {
    block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, start, 'latin1');
    return;
  }
  let rest = BigInt(value);
  for (let i = width - 1; i > 0; i--) {
    block[start + i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  block[start] = 0x80;
}
