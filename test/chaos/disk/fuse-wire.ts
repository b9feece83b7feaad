/** The kernel's FUSE messages, as far as a flat directory needs them (include/uapi/linux/fuse.h, protocol 7.31). */

export const operation = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  setattr: 4,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  fsync: 20,
  flush: 25,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  fsyncdir: 30,
  create: 35,
  interrupt: 36,
  destroy: 38,
  batchForget: 42,
} as const;

export const headBytes = 40;
/** Longest data of one WRITE. */
export const mostWriteBytes = 1 << 20;
/** A second is long here: nobody but the kernel changes a file. */
const validSeconds = 1_000_000n;

export interface Request {
  code: number;
  id: bigint;
  node: bigint;
  body: Buffer;
}

export function readRequest(bytes: Buffer): Request {
  return { code: bytes.readUInt32LE(4), id: bytes.readBigUInt64LE(8), node: bytes.readBigUInt64LE(16), body: bytes.subarray(headBytes, bytes.readUInt32LE(0)) };
}

export function reply(id: bigint, error: number, body: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt32LE(16 + body.length, 0);
  head.writeInt32LE(-error, 4);
  head.writeBigUInt64LE(id, 8);
  return Buffer.concat([head, body]);
}

export function initReply(readahead: number): Buffer {
  const maxPages = 1 << 22;
  const bigWrites = 1 << 5;
  const out = Buffer.alloc(64);
  [7, 31, readahead, maxPages | bigWrites].forEach((word, i) => out.writeUInt32LE(word, 4 * i));
  out.writeUInt16LE(16, 16);
  out.writeUInt16LE(12, 18);
  out.writeUInt32LE(mostWriteBytes, 20);
  out.writeUInt32LE(1, 24);
  out.writeUInt16LE(mostWriteBytes / 4096, 28);
  return out;
}

export function attributes(node: bigint, size: number, isDirectory: boolean): Buffer {
  const out = Buffer.alloc(88);
  out.writeBigUInt64LE(node, 0);
  out.writeBigUInt64LE(BigInt(size), 8);
  out.writeBigUInt64LE(BigInt(Math.ceil(size / 512)), 16);
  out.writeUInt32LE(isDirectory ? 0o40700 : 0o100600, 60);
  out.writeUInt32LE(isDirectory ? 2 : 1, 64);
  out.writeUInt32LE(4096, 80);
  return out;
}

export function attributesReply(attributes: Buffer): Buffer {
  const head = Buffer.alloc(16);
  head.writeBigUInt64LE(validSeconds, 0);
  return Buffer.concat([head, attributes]);
}

export function entryReply(node: bigint, attributes: Buffer): Buffer {
  const head = Buffer.alloc(40);
  head.writeBigUInt64LE(node, 0);
  head.writeBigUInt64LE(validSeconds, 16);
  head.writeBigUInt64LE(validSeconds, 24);
  return Buffer.concat([head, attributes]);
}

/** `keep_cache`: what the kernel has read of the file stays. */
export function openReply(): Buffer {
  const out = Buffer.alloc(16);
  out.writeUInt32LE(2, 8);
  return out;
}

export function textOf(body: Buffer): string {
  return body.toString('utf8', 0, body.indexOf(0));
}
