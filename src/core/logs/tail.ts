import type { LogFile } from './files.ts';
import { parseLine } from './parse.ts';

/** Bytes read at a time, going backwards. A record of conmon is at most about 8.3 KiB. */
const blockSize = 64 * 1024;

/** Where the newest `count` lines begin in `files`, the oldest first, of which the first `sizes` bytes count. */
export async function tailStart(files: readonly LogFile[], sizes: readonly number[], count: number): Promise<{ file: number; offset: number }> {
  const last = files.length - 1;
  if (count <= 0) return { file: last, offset: sizes[last] ?? 0 };
  const search: Search = { wanted: count, newest: true };
  for (let index = last; index >= 0; index--) {
    const offset = await searchBack(files[index]!, sizes[index]!, search);
    if (offset !== undefined) return { file: index, offset };
  }
  return { file: 0, offset: 0 };
}

interface Search {
  /** Lines that are still to be found. */
  wanted: number;
  /** Whether nothing has been read yet: a partial record at the very end is a line of its own. */
  newest: boolean;
}

/** Reads a file from its end only as far as needed; undefined where its beginning is still not far enough. */
async function searchBack(file: LogFile, size: number, search: Search): Promise<number | undefined> {
  let position = size;
  let buffer = Buffer.alloc(0);
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
      if (record && (!record.partial || search.newest) && search.wanted-- === 0) return position + end + 1;
      if (record) search.newest = false;
      end = before;
    }
    buffer = buffer.subarray(0, end + 1);
  }
  return undefined;
}

async function readAt(file: LogFile, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  return buffer.subarray(0, await file.read(buffer, length, position));
}
