/**
 * A tree as a tar. Each directory is opened below its parent's descriptor, following no link, so that processes of the
 * container, which may change the tree meanwhile, cannot make the walk leave it.
 */
import { constants, createReadStream, fstatSync, lstatSync, openSync, readdirSync, readlinkSync, statfsSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import type { HostFiles } from '#core/snapshots/unpack/extract.ts';
import { majorOf, minorOf } from '#lib/device-number.ts';
import { codeOf, isFault } from '#lib/errors.ts';
import { openPath } from '#lib/open-flags.ts';
import type { TarEntry, TarEntryType } from '#lib/tar/types.ts';
import { tarEntry } from '#lib/tar/types.ts';
import type { TarSource } from '#lib/tar/write.ts';
import type { MountSource } from './place.ts';

export const openDirectory = openPath | constants.O_DIRECTORY;
const openDirectoryNoFollow = openDirectory | constants.O_NOFOLLOW;
const openFile = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** Levels below the start; deeper trees are cut off with an error by the kernel's path limit anyway. */
const depthLimit = 2048;
/**
 * File systems in which the kernel shows itself, by the number that statfs(2) gives: proc, sysfs, both cgroups, devpts, mqueue.
 * As with dockerd a container's archive has just the directory that one is mounted on.
 */
const kernels: ReadonlySet<number> = new Set([0x9fa0, 0x62656572, 0x27e0eb, 0x63677270, 0x1cd1, 0x19800202]);

export interface WalkOptions {
  files: HostFiles;
  /** What stands in place of a directory, by path from the walk's root. */
  mounts: ReadonlyMap<string, MountSource>;
}

interface Node {
  /** Descriptor of the parent. */
  parent: number;
  name: string;
  /** In the archive. */
  tarName: string;
  /** From the walk's root, for `mounts`. */
  path: string;
  depth: number;
  /** The device that the parent is on; absent at the start. */
  device?: bigint;
}

/** What is at `name` below the descriptor `parent`, and all below it. */
export async function* walk(options: WalkOptions, start: Omit<Node, 'depth' | 'device'>): AsyncGenerator<TarSource> {
  yield* walkNode(options, { ...start, depth: 0 }, new Map());
}

async function* walkNode(options: WalkOptions, node: Node, links: Map<string, string>): AsyncGenerator<TarSource> {
  const place = `${options.files.pathOf(node.parent)}/${node.name}`;
  const stat = lstatSync(place, { bigint: true, throwIfNoEntry: false });
  // gone since it was listed; sockets have no form in a tar
  if (!stat || stat.isSocket() || node.depth > depthLimit) return;
  const entry = entryOf(node, stat, place);
  if (stat.isDirectory()) {
    yield { entry };
    if (stat.dev === node.device || !isOfHost(node.path, place)) yield* walkDirectory(options, node, stat.dev, links);
    return;
  }
  if (!stat.isFile()) {
    yield { entry };
    return;
  }
  const key = `${stat.dev}:${stat.ino}`;
  const known = stat.nlink > 1n ? links.get(key) : undefined;
  if (known !== undefined) {
    yield { entry: { ...entry, type: 'link', size: 0, linkName: known } };
    return;
  }
  links.set(key, node.tarName);
  yield* fileSource(options.files, node, entry);
}

/** What is mounted there is the kernel's, or the devices that the runtime made. */
function isOfHost(path: string, place: string): boolean {
  return path === '/dev' || kernels.has(tryTo(() => statfsSync(place).type) ?? 0);
}

async function* walkDirectory(options: WalkOptions, node: Node, device: bigint, links: Map<string, string>): AsyncGenerator<TarSource> {
  const { files } = options;
  const mount = options.mounts.get(node.path);
  const fd = mount === undefined ? tryTo(() => files.openInRoot(node.parent, node.name, openDirectoryNoFollow)) : tryTo(() => openSource(files, mount));
  if (fd === undefined) return;
  try {
    for (const name of readdirSync(files.pathOf(fd)).sort()) {
      yield* walkNode(options, { parent: fd, name, tarName: `${node.tarName}/${name}`, path: `${node.path === '/' ? '' : node.path}/${name}`, depth: node.depth + 1, device }, links);
    }
  } finally {
    files.close(fd);
  }
}

/** Resolved inside the mount's own root. */
function openSource(files: HostFiles, { root, path }: MountSource): number {
  const fd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return files.openInRoot(fd, path || '/', openDirectory);
  } finally {
    files.close(fd);
  }
}

async function* fileSource(files: HostFiles, node: Node, entry: TarEntry): AsyncGenerator<TarSource> {
  const fd = tryTo(() => files.openInRoot(node.parent, node.name, openFile));
  if (fd === undefined) return;
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) return;
    const capability = files.getXattr(files.pathOf(fd), 'security.capability');
    const xattrs = new Map(capability ? [['security.capability', capability]] : []);
    const body = stat.size === 0 ? new Uint8Array() : (createReadStream('', { fd, start: 0, end: stat.size - 1, autoClose: false }) as AsyncIterable<Uint8Array>);
    yield { entry: { ...entry, size: stat.size, xattrs }, body };
  } finally {
    files.close(fd);
  }
}

/** Undefined where it vanished or became something else meanwhile. */
function tryTo(look: () => number): number | undefined {
  try {
    return look();
  } catch (error) {
    const errno = isFault(error) ? error.details['errno'] : codeOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'ELOOP' || errno === 'ENXIO') return undefined;
    throw error;
  }
}

function entryOf(node: Node, stat: BigIntStats, place: string): TarEntry {
  const type = typeOf(stat);
  const device = type === 'char' || type === 'block';
  return tarEntry(node.tarName, type, {
    mode: Number(stat.mode) & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtime: stat.mtimeNs,
    linkName: type === 'symlink' ? readlinkSync(place) : '',
    devMajor: device ? majorOf(stat.rdev) : 0,
    devMinor: device ? minorOf(stat.rdev) : 0,
  });
}

function typeOf(stat: BigIntStats): TarEntryType {
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isCharacterDevice()) return 'char';
  if (stat.isBlockDevice()) return 'block';
  if (stat.isFIFO()) return 'fifo';
  return 'file';
}
