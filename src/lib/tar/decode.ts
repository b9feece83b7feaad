import { Fault } from '../errors.ts';
import { decodeHeader } from './header.ts';
import type { RawHeader } from './header.ts';
import { parsePax, parsePaxNumber, parsePaxTime } from './pax.ts';
import type { PaxRecords } from './pax.ts';
import { decodeName } from './text.ts';
import { tarBlock, tarLimits } from './types.ts';
import type { TarEntry, TarEntryType } from './types.ts';

export type TarEvent = { entry: TarEntry } | { data: Buffer } | { end: true };

const types: Readonly<Record<string, TarEntryType>> = {
  '0': 'file', '1': 'link', '2': 'symlink', '3': 'char', '4': 'block', '5': 'directory', '6': 'fifo', '7': 'file',
};
const refused: Readonly<Record<string, string>> = {
  S: 'a sparse file', M: 'a multi-volume archive', V: 'a volume header', D: 'an incremental dump',
};
const xattrPrefix = 'SCHILY.xattr.';
const sparsePrefix = 'GNU.sparse.';
/** The other records that say something of an entry. */
const meant = new Set(['path', 'linkpath', 'size', 'uid', 'gid', 'uname', 'gname', 'mtime', 'atime']);

/**
 * Turns the bytes of an archive into events: an `entry`, its `data` in pieces, its `end`. Synchronous, and free of
 * any environment, so that it runs the same on the main thread and on workers.
 */
export class TarDecoder {
  #pending = Buffer.alloc(0);
  #body = 0;
  #padding = 0;
  #inEntry = false;
  #extension: { flag: string; parts: Buffer[]; } | undefined;
  #pax: PaxRecords = new Map();
  #global: PaxRecords = new Map();
  #longName: string | undefined;
  #longLink: string | undefined;
  #finished = false;

  *push(chunk: Uint8Array): Generator<TarEvent> {
    if (this.#finished) return;
    let data = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (this.#pending.length > 0) {
      data = Buffer.concat([this.#pending, data]);
      this.#pending = Buffer.alloc(0);
    }
    let at = 0;
    while (at < data.length && !this.#finished) {
      if (this.#body > 0) {
        const piece = data.subarray(at, at + this.#body);
        at += piece.length;
        this.#body -= piece.length;
        if (this.#extension) this.#extension.parts.push(Buffer.from(piece));
        else yield { data: piece };
        if (this.#body === 0) yield* this.#endBody();
      } else if (this.#padding > 0) {
        const skip = Math.min(this.#padding, data.length - at);
        at += skip;
        this.#padding -= skip;
      } else if (data.length - at < tarBlock) {
        this.#pending = Buffer.from(data.subarray(at));
        return;
      } else {
        yield* this.#header(data.subarray(at, at + tarBlock));
        at += tarBlock;
      }
    }
  }

  /** Says that no bytes follow; an archive that stops inside an entry is `invalid`. */
  finish(): void {
    if (this.#finished) return;
    const open = this.#body > 0 || this.#extension !== undefined || this.#pending.length > 0 || this.#pax.size > 0;
    if (open) throw new Fault('invalid', 'tar: unexpected end of the archive; it is truncated');
  }

  *#header(block: Buffer): Generator<TarEvent> {
    const raw = decodeHeader(block);
    if (raw === undefined) {
      // A single block of zeros ends it as well: not all writers give two.
      this.#finished = true;
      return;
    }
    if ('xgLK'.includes(raw.flag)) {
      if (raw.size > tarLimits.extensionBytes) {
        throw new Fault('too-large', `tar: an extension header of ${raw.size} bytes is over the limit of ${tarLimits.extensionBytes}`);
      }
      this.#extension = { flag: raw.flag, parts: [] };
      this.#startBody(raw.size);
      if (raw.size === 0) yield* this.#endBody();
      return;
    }
    const entry = this.#entry(raw);
    this.#inEntry = true;
    this.#startBody(entry.size);
    yield { entry };
    if (entry.size === 0) yield* this.#endBody();
  }

  #startBody(size: number): void {
    this.#body = size;
    this.#padding = (tarBlock - (size % tarBlock)) % tarBlock;
  }

  *#endBody(): Generator<TarEvent> {
    if (this.#inEntry) {
      this.#inEntry = false;
      yield { end: true };
      return;
    }
    const { flag, parts } = this.#extension!;
    this.#extension = undefined;
    const data = Buffer.concat(parts);
    if (flag === 'x') this.#pax = parsePax(data);
    else if (flag === 'g') this.#keepGlobal(parsePax(data));
    else if (flag === 'L') this.#longName = untilZero(data);
    else this.#longLink = untilZero(data);
  }

  #keepGlobal(records: PaxRecords): void {
    // comments and the like would only be carried along with every entry
    for (const [key, value] of records) if (meant.has(key) || key.startsWith(xattrPrefix) || key.startsWith(sparsePrefix)) this.#global.set(key, value);
    const bytes = this.#global.entries().reduce((sum, [key, value]) => sum + key.length + value.length, 0);
    if (bytes > tarLimits.extensionBytes) throw new Fault('too-large', `tar: the global headers hold ${bytes} bytes, over the limit of ${tarLimits.extensionBytes}`);
  }

  #entry(raw: RawHeader): TarEntry {
    const pax = this.#global.size === 0 ? this.#pax : new Map([...this.#global, ...this.#pax]);
    const longName = this.#longName;
    const longLink = this.#longLink;
    this.#pax = new Map();
    this.#longName = this.#longLink = undefined;
    return resolveEntry({ ...raw, name: longName ?? raw.name, linkName: longLink ?? raw.linkName }, pax);
  }
}

function resolveEntry(raw: RawHeader, pax: PaxRecords): TarEntry {
  const value = (key: string): string | undefined => {
    const bytes = pax.get(key);
    return bytes === undefined || bytes.length === 0 ? undefined : decodeName(bytes);
  };
  const count = (key: string, otherwise: number): number => {
    const text = value(key);
    return text === undefined ? otherwise : parsePaxNumber(text, key);
  };
  const name = value('path') ?? raw.name;
  let type = types[raw.flag];
  if (type === undefined) {
    const what = refused[raw.flag] ?? `a member of unknown type ${JSON.stringify(raw.flag)}`;
    throw new Fault('invalid', `tar: ${JSON.stringify(name)} is ${what}, which is not supported`);
  }
  // Archives from before ustar mark a directory by its name alone.
  if (raw.flag === '0' && name.endsWith('/')) type = 'directory';
  const mtime = value('mtime');
  const atime = value('atime');
  const entry: TarEntry = {
    name,
    type,
    mode: raw.mode & 0o7777,
    uid: count('uid', raw.uid),
    gid: count('gid', raw.gid),
    size: type === 'file' ? count('size', raw.size) : 0,
    mtime: mtime === undefined ? BigInt(raw.mtime) * 1_000_000_000n : parsePaxTime(mtime),
    ...(atime === undefined ? {} : { atime: parsePaxTime(atime) }),
    linkName: value('linkpath') ?? raw.linkName,
    userName: value('uname') ?? raw.userName,
    groupName: value('gname') ?? raw.groupName,
    devMajor: raw.devMajor,
    devMinor: raw.devMinor,
    xattrs: xattrsOf(pax, name),
  };
  return checked(entry);
}

function xattrsOf(pax: PaxRecords, name: string): Map<string, Buffer> {
  const xattrs = new Map<string, Buffer>();
  for (const [key, bytes] of pax) {
    if (key.startsWith(xattrPrefix)) xattrs.set(key.slice(xattrPrefix.length), bytes);
    else if (key.startsWith(sparsePrefix)) {
      throw new Fault('invalid', `tar: ${JSON.stringify(name)} is a sparse file, which is not supported`);
    }
  }
  if (xattrs.size > tarLimits.xattrs) {
    throw new Fault('too-large', `tar: ${JSON.stringify(name)} has ${xattrs.size} extended attributes, over the limit of ${tarLimits.xattrs}`);
  }
  return xattrs;
}

/** The largest ids of users, groups and devices; the one above means “leave it as it is” to chown(2). */
const largestId = 2 ** 32 - 2;

function checked(entry: TarEntry): TarEntry {
  const { uid, gid, devMajor, devMinor } = entry;
  for (const [what, a, b] of [['owner', uid, gid], ['device', devMajor, devMinor]] as const) {
    if (a > largestId || b > largestId) throw new Fault('invalid', `tar: ${JSON.stringify(entry.name.slice(0, 80))}: the ${what} ${a}:${b} is beyond what Linux has`);
  }
  for (const text of [entry.name, entry.linkName]) {
    if (text.includes('\ufffd')) {
      throw new Fault('invalid', `tar: the name ${JSON.stringify(text.slice(0, 80))} is not valid UTF-8; rename the file`);
    }
    if (text.includes('\0')) throw new Fault('invalid', `tar: the name ${JSON.stringify(text.slice(0, 80))} holds a zero byte`);
    if (Buffer.byteLength(text) > tarLimits.nameBytes) {
      throw new Fault('too-large', `tar: the name ${JSON.stringify(text.slice(0, 80))}… is over the limit of ${tarLimits.nameBytes} bytes`);
    }
  }
  return entry;
}

function untilZero(data: Buffer): string {
  const zero = data.indexOf(0);
  return decodeName(zero < 0 ? data : data.subarray(0, zero));
}
