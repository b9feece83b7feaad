import type { FileHandle } from 'node:fs/promises';
import { parseLine } from './parse.ts';

/** Bytes read at a time, going backwards. A record of conmon is at most about 8.3 KiB. */
const blockSize = 64 * 1024;

/** Where the newest `count` lines of the first `size` bytes begin. Reads from their end only as far as needed. */
export async function tailOffset(file: FileHandle, count: number, size: number): Promise<number> {
  if (count <= 0) return size;
  let position = size;
  let buffer = Buffer.alloc(0);
  let lines = 0;
  let newest = true;
  while (position > 0) {
    const from = Math.max(0, position - blockSize);
    buffer = Buffer.concat([await readAt(file, from, position - from), buffer]);
    position = from;
    let end = buffer.lastIndexOf(0x0a);
    while (end >= 0) {
      const before = end === 0 ? -1 : buffer.lastIndexOf(0x0a, end - 1);
      if (before < 0 && position > 0) break;
      const record = parseLine(buffer.subarray(before + 1, end));
      // Each whole line ends one; so does a partial one that nothing follows.
      if (record && (!record.partial || newest) && lines++ === count) return position + end + 1;
      if (record) newest = false;
      end = before;
    }
    buffer = buffer.subarray(0, end + 1);
  }
  return 0;
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}
