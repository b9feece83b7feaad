import { closeSync, constants, createReadStream, fstatSync, lstatSync, openSync, readFile } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { majorOf, minorOf } from '#lib/device-number.ts';
import { Fault, goneIsFine, isFault } from '#lib/errors.ts';
import { openPath } from '#lib/open-flags.ts';
import { tarEntry } from '#lib/tar/types.ts';
import type { TarEntry, TarEntryType } from '#lib/tar/types.ts';
import type { TarSource } from '#lib/tar/write.ts';
import type { Files } from '#sys/fs/types.ts';
import type { SnapshotChange } from '../types.ts';
import { isWhiteout, opaqueXattr } from '../unpack/confined.ts';

/** Bytes up to which a file is read as a whole. */
const wholeBytes = 256 * 1024;

const readWhole = promisify(readFile);

/** One name in an upper directory. */
interface Found {
  /** Relative to the root, without a leading slash. */
  path: string;
  place: string;
  stat: BigIntStats;
}

/** All names below `root`, each directory before what is in it, by name in the order of their bytes. What goes meanwhile is left out. */
async function* walk(root: string, below = ''): AsyncGenerator<Found, void> {
  for (const name of ((await readdir(join(root, below)).catch(goneIsFine)) ?? []).sort(byBytes)) {
    const path = below === '' ? name : `${below}/${name}`;
    const place = join(root, path);
    const stat = await lstat(place, { bigint: true }).catch(goneIsFine);
    if (!stat) continue;
    yield { path, place, stat };
    if (stat.isDirectory()) yield* walk(root, path);
  }
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** The changes in `upper`, an overlay's upper directory, against `lower`, the merged layers below it. */
export async function changesOf(upper: string, lower: string, files: Files): Promise<SnapshotChange[]> {
  const changes: SnapshotChange[] = [];
  // Directories of the upper side that stand on a directory of the lower one.
  const shared = new Set(['']);
  const note = (path: string, kind: SnapshotChange['kind']): void => void changes.push({ path: `/${path}`, kind });
  for await (const { path, place, stat } of walk(upper)) {
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    // Only where each directory above is one below as well: else a link there would lead out of it.
    const there = shared.has(parent) ? lstatSync(join(lower, path), { throwIfNoEntry: false }) : undefined;
    if (isWhiteoutOf(stat)) {
      if (there) note(path, 'deleted');
      continue;
    }
    note(path, there ? 'modified' : 'added');
    if (!stat.isDirectory() || !there?.isDirectory()) continue;
    shared.add(path);
    if (!isOpaque(place, files)) continue;
    const kept = new Set(await readdir(place));
    for (const name of await readdir(join(lower, path))) {
      if (!kept.has(name)) note(`${path}/${name}`, 'deleted');
    }
  }
  return changes.sort((a, b) => byBytes(a.path, b.path));
}

/**
 * The members of the layer archive of `upper`: whiteouts in the OCI form, times to the nanosecond. Fault `conflict` where a
 * container that runs on it changes a file meanwhile; whatever it makes of one, no other is read.
 */
export async function* diffMembers(upper: string, files: Files): AsyncGenerator<TarSource, void> {
  const root = openSync(upper, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    yield* membersBelow(root, upper, files);
  } finally {
    closeSync(root);
  }
}

async function* membersBelow(root: number, upper: string, files: Files): AsyncGenerator<TarSource, void> {
  const links = new Map<string, string>();
  for await (const { path, place, stat } of walk(upper)) {
    if (isWhiteoutOf(stat)) {
      const at = path.lastIndexOf('/') + 1;
      yield { entry: tarEntry(`${path.slice(0, at)}.wh.${path.slice(at)}`, 'file', { mode: 0o600, mtime: stat.mtimeNs }) };
      continue;
    }
    const type = typeOf(stat);
    // A socket means nothing without the process that made it.
    if (type === undefined) continue;
    const entry = await describe(path, place, type, stat, files);
    const first = links.get(`${stat.dev}:${stat.ino}`);
    if (type !== 'directory' && stat.nlink > 1n) {
      if (first !== undefined) {
        yield { entry: { ...entry, type: 'link', linkName: first, size: 0, xattrs: new Map() } };
        continue;
      }
      links.set(`${stat.dev}:${stat.ino}`, path);
    }
    yield type === 'file' && entry.size > 0 ? { entry, body: await bodyOf(root, path, entry.size, files) } : { entry };
    if (type === 'directory' && isOpaque(place, files)) {
      yield { entry: tarEntry(`${path}/.wh..wh..opq`, 'file', { mode: 0o600, mtime: stat.mtimeNs }) };
    }
  }
}

/** Small files are read at once: a stream for each of thousands costs more than their reading. */
async function bodyOf(root: number, path: string, size: number, files: Files): Promise<TarSource['body']> {
  const fd = openFile(root, path, files);
  if (size > wholeBytes) return createReadStream('', { fd, highWaterMark: 256 * 1024 });
  try {
    return await readWhole(fd);
  } finally {
    closeSync(fd);
  }
}

/** Found below the root by its path alone, and looked at before it is opened for reading: it may be a link or a device by now. */
function openFile(root: number, path: string, files: Files): number {
  const found = files.openInRoot(root, path, openPath | constants.O_NOFOLLOW);
  try {
    if (!fstatSync(found).isFile()) throw new Fault('conflict', `${JSON.stringify(path)} became something else while it was read; try again, or stop the container`);
    return openSync(files.pathOf(found), constants.O_RDONLY);
  } finally {
    closeSync(found);
  }
}

/** Bytes of the files below `root`, each once, and how many names there are. */
export async function usageOf(root: string): Promise<{ bytes: number; inodes: number }> {
  const seen = new Set<bigint>();
  let bytes = 0;
  let inodes = 0;
  for await (const { stat } of walk(root)) {
    inodes++;
    if (!stat.isFile() || seen.has(stat.ino)) continue;
    if (stat.nlink > 1n) seen.add(stat.ino);
    bytes += Number(stat.size);
  }
  return { bytes, inodes };
}

async function describe(path: string, place: string, type: TarEntryType, stat: BigIntStats, files: Files): Promise<TarEntry> {
  const device = Number(stat.rdev);
  return tarEntry(path, type, {
    mode: Number(stat.mode) & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size: type === 'file' ? Number(stat.size) : 0,
    mtime: stat.mtimeNs,
    linkName: type === 'symlink' ? await readlink(place) : '',
    ...(type === 'char' || type === 'block' ? { devMajor: majorOf(device), devMinor: minorOf(device) } : {}),
    xattrs: keptXattrs(place, files),
  });
}

function keptXattrs(place: string, files: Files): Map<string, Buffer> {
  const kept = new Map<string, Buffer>();
  for (const name of files.listXattrs(place).sort()) {
    if (name !== 'security.capability' && !name.startsWith('user.')) continue;
    const value = files.getXattr(place, name);
    if (value) kept.set(name, value);
  }
  return kept;
}

function typeOf(stat: BigIntStats): TarEntryType | undefined {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isCharacterDevice()) return 'char';
  if (stat.isBlockDevice()) return 'block';
  return stat.isFIFO() ? 'fifo' : undefined;
}

function isWhiteoutOf(stat: BigIntStats): boolean {
  return isWhiteout({ isCharacterDevice: () => stat.isCharacterDevice(), rdev: Number(stat.rdev) });
}

function isOpaque(place: string, files: Files): boolean {
  try {
    return files.getXattr(place, opaqueXattr)?.toString() === 'y';
  } catch (error) {
    if (isFault(error, 'not-found')) return false;
    throw error;
  }
}
