import { Readable } from 'node:stream';
import { Fault } from '../errors.ts';
import { encodeHeader, fitsOctal } from './header.ts';
import type { RawHeader } from './header.ts';
import { encodePax, formatPaxTime } from './pax.ts';
import { tarBlock } from './types.ts';
import type { TarEntry, TarEntryType } from './types.ts';

const flags: Readonly<Record<TarEntryType, string>> = {
  file: '0', link: '1', symlink: '2', char: '3', block: '4', directory: '5', fifo: '6',
};

const pieceBytes = 128 * 1024;

/** One member to write; a file's `body` has `entry.size` bytes. */
export interface TarSource {
  entry: TarEntry;
  body?: Uint8Array | AsyncIterable<Uint8Array>;
}

/** The end of an archive: two blocks of zeros. */
export const tarEnd: Buffer = Buffer.alloc(2 * tarBlock);

/** The header blocks of an entry, with a PAX header where the plain one cannot hold it. Deterministic. */
export function encodeEntry(entry: TarEntry): Buffer {
  const name = entry.type === 'directory' && !entry.name.endsWith('/') ? `${entry.name}/` : entry.name;
  const seconds = floorSeconds(entry.mtime);
  const raw: RawHeader = { ...entry, name, flag: flags[entry.type], mtime: seconds, mode: entry.mode & 0o7777 };
  const pax = new Map<string, Buffer>();
  const put = (key: string, value: string): void => void pax.set(key, Buffer.from(value));
  if (!fitsText(name, 100)) put('path', name);
  if (!fitsText(entry.linkName, 100)) put('linkpath', entry.linkName);
  if (!fitsOctal(entry.size, 12)) put('size', String(entry.size));
  if (!fitsOctal(entry.uid, 8)) put('uid', String(entry.uid));
  if (!fitsOctal(entry.gid, 8)) put('gid', String(entry.gid));
  if (!fitsText(entry.userName, 31)) put('uname', entry.userName);
  if (!fitsText(entry.groupName, 31)) put('gname', entry.groupName);
  if (entry.mtime !== BigInt(seconds) * 1_000_000_000n || !fitsOctal(seconds, 12)) put('mtime', formatPaxTime(entry.mtime));
  for (const key of [...entry.xattrs.keys()].sort()) pax.set(`SCHILY.xattr.${key}`, entry.xattrs.get(key)!);
  const header = encodeHeader({ ...raw, name: asciiHead(name), linkName: asciiHead(entry.linkName) });
  if (pax.size === 0) return header;
  const data = encodePax(pax);
  const blank: RawHeader = { ...raw, linkName: '', userName: '', groupName: '', devMajor: 0, devMinor: 0, uid: 0, gid: 0 };
  const extension = encodeHeader({ ...blank, name: 'PaxHeaders/entry', flag: 'x', size: data.length, mode: 0o644, mtime: 0 });
  return Buffer.concat([extension, data, tarPadding(data.length), header]);
}

/** The zeros that fill the last block of a body of `size` bytes. */
export function tarPadding(size: number): Buffer {
  return tarEnd.subarray(0, (tarBlock - (size % tarBlock)) % tarBlock);
}

/** The bytes of an archive of `members`, with its end. */
export async function* encodeTar(members: AsyncIterable<TarSource> | Iterable<TarSource>): AsyncGenerator<Buffer, void> {
  for await (const { entry, body } of members) {
    yield encodeEntry(entry);
    let written = 0;
    if (body instanceof Uint8Array) {
      written = body.length;
      yield Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    } else if (body) {
      for await (const piece of body) {
        written += piece.length;
        if (written > entry.size) break;
        yield Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
      }
    }
    if (written !== entry.size) {
      throw new Fault('conflict', `tar: ${JSON.stringify(entry.name)} changed its size while it was read (${entry.size} bytes announced)`);
    }
    yield tarPadding(entry.size);
  }
  yield tarEnd;
}

/** `encodeTar` as a stream, in pieces of a good size. */
export function writeTar(members: AsyncIterable<TarSource> | Iterable<TarSource>): Readable {
  return Readable.from(gathered(encodeTar(members)), { objectMode: false, highWaterMark: 2 * pieceBytes });
}

/** Joins small pieces, since each one costs its readers (a compressor, a socket) a round trip. */
async function* gathered(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  let parts: Buffer[] = [];
  let length = 0;
  for await (const part of source) {
    parts.push(part);
    length += part.length;
    if (length < pieceBytes) continue;
    yield parts.length === 1 ? part : Buffer.concat(parts, length);
    parts = [];
    length = 0;
  }
  if (length > 0) yield Buffer.concat(parts, length);
}

function floorSeconds(nanos: bigint): number {
  const seconds = nanos / 1_000_000_000n;
  return Number(nanos < 0n && seconds * 1_000_000_000n !== nanos ? seconds - 1n : seconds);
}

function fitsText(text: string, bytes: number): boolean {
  // oxlint-disable-next-line no-control-regex
  return Buffer.byteLength(text) <= bytes && /^[\x01-\x7f]*$/.test(text);
}

/** What goes to the plain field where PAX holds the real text: readers without PAX see a recognisable name. */
function asciiHead(text: string): string {
  return fitsText(text, 100) ? text : Buffer.from(text.replace(/[^\x20-\x7e]/g, '_')).toString('latin1', 0, 100);
}
