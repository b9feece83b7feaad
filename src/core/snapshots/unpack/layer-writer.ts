import {
  chmodSync, closeSync, constants, fchmodSync, fchownSync, lchownSync, linkSync, lstatSync, mkdirSync, openSync, symlinkSync, writeSync,
} from 'node:fs';
import { Fault } from '#lib/errors.ts';
import type { TarEntry } from '#lib/tar/types.ts';
import type { Files } from '#sys/fs/types.ts';
import { openPath } from '#lib/open-flags.ts';
import { ConfinedTree, errnoOf, opaqueXattr } from './confined.ts';

export const layerLimits = {
  /** Entries of one layer. */
  entries: 4 * 1024 * 1024,
  /** Bytes of one layer when unpacked. */
  bytes: 512 * 1024 ** 3,
  /** Bytes of the disk that stay free for everything else, or a twentieth of a disk where that is less. */
  reserveBytes: 256 * 1024 ** 2,
} as const;

/** Bytes written between two looks at what is free, at least and at most. */
const lookBytes = { least: 1024 ** 2, most: 64 * 1024 ** 2 } as const;

const whiteoutPrefix = '.wh.';
const opaqueMark = '.wh..wh..opq';
const createFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const nodeTypes = { char: constants.S_IFCHR, block: constants.S_IFBLK, fifo: constants.S_IFIFO } as const;

/**
 * Writes the entries of a layer archive into a directory, in overlayfs' form: a whiteout becomes a character device
 * 0/0, an opaque mark an attribute. Synchronous: it runs on a thread of its own.
 */
export class LayerWriter {
  bytes = 0;
  inodes = 0;
  /** Whether the archive said what its root directory is like. */
  hasRoot = false;
  readonly #files: Files;
  readonly #tree: ConfinedTree;
  readonly #whiteouts: boolean;
  readonly #directories = new Map<string, { components: readonly string[]; mtime: bigint }>();
  #lookAt: number = lookBytes.least;
  #file: { fd: number; path: string; entry: TarEntry } | undefined;

  /** `whiteouts: false` takes `.wh.` names as any other, for archives that are no layers. */
  constructor(root: string, files: Files, options: { whiteouts?: boolean } = {}) {
    this.#files = files;
    this.#tree = new ConfinedTree(root, files);
    this.#whiteouts = options.whiteouts ?? true;
  }

  begin(entry: TarEntry): void {
    if (++this.inodes > layerLimits.entries) {
      throw new Fault('too-large', `layer: more than ${layerLimits.entries} entries`);
    }
    const components = componentsOf(entry.name);
    const name = components.pop();
    if (name === undefined) {
      this.#root(entry);
      return;
    }
    if (this.#whiteouts && name.startsWith(whiteoutPrefix)) {
      this.#whiteout(components, name);
      return;
    }
    const parent = this.#tree.directory(components);
    try {
      this.#make(entry, components, name, `${parent}/${name}`);
    } catch (error) {
      throw namingEntry(error, entry);
    }
  }

  data(chunk: Uint8Array): void {
    if (!this.#file) return;
    this.bytes += chunk.length;
    if (this.bytes > layerLimits.bytes) throw new Fault('too-large', `layer: more than ${layerLimits.bytes} bytes`);
    if (this.bytes >= this.#lookAt) this.#look();
    for (let at = 0; at < chunk.length; ) at += writeSync(this.#file.fd, chunk, at);
  }

  end(): void {
    if (!this.#file) return;
    const { fd, path, entry } = this.#file;
    // The owner first: changing it clears setuid and capabilities.
    if (entry.uid !== 0 || entry.gid !== 0) fchownSync(fd, entry.uid, entry.gid);
    fchmodSync(fd, entry.mode);
    closeSync(fd);
    this.#file = undefined;
    this.#attributes(path, entry);
    this.#times(path, entry);
  }

  /** The times of directories, last: every entry made in one changes them. */
  finish(): void {
    for (const { components, mtime } of [...this.#directories.values()].reverse()) {
      this.#tree.within(components, (path) => this.#files.setTimes(`${path}/.`, mtime, mtime));
    }
  }

  close(): void {
    if (this.#file) closeSync(this.#file.fd);
    this.#file = undefined;
    this.#tree.close();
  }

  /** A few bytes may unpack to very many: others need the disk too. */
  #look(): void {
    const { total, available } = this.#files.space(`${this.#tree.directory([])}/.`);
    const reserve = Math.min(layerLimits.reserveBytes, total / 20);
    if (available < reserve) {
      throw new Fault('exhausted', `layer: no space left for it: after ${this.bytes} bytes less than ${(reserve / 1024 ** 2).toFixed(1)} MiB of the disk are free, which unpacking leaves alone; remove images or containers that are not needed`);
    }
    this.#lookAt = this.bytes + Math.min(Math.max((available - reserve) / 2, lookBytes.least), lookBytes.most);
  }

  #make(entry: TarEntry, parents: readonly string[], name: string, path: string): void {
    switch (entry.type) {
      case 'file':
        this.#file = { fd: this.#replacing(path, () => openSync(path, createFlags, 0o600)), path, entry };
        return;
      case 'directory':
        this.#directory(entry, [...parents, name], path);
        return;
      case 'symlink':
        if (entry.linkName === '') throw new Fault('invalid', `layer: the symbolic link ${JSON.stringify(entry.name)} has no target`);
        this.#replacing(path, () => symlinkSync(entry.linkName, path));
        break;
      case 'link':
        this.#link(entry, parents, name);
        return;
      default:
        this.#replacing(path, () => this.#files.makeNode(path, nodeTypes[entry.type as keyof typeof nodeTypes] | 0o600, entry.devMajor, entry.devMinor));
    }
    this.#owned(path, entry);
    this.#times(path, entry);
  }

  #directory(entry: TarEntry, components: readonly string[], path: string): void {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (!found?.isDirectory()) {
      const { wasWhiteout } = this.#tree.clear(path);
      mkdirSync(path, 0o700);
      // Deleted and made anew in the same layer: what lower layers hold there stays hidden.
      if (wasWhiteout) this.#files.setXattr(path, opaqueXattr, Buffer.from('y'));
    }
    this.#owned(path, entry);
    this.#directories.set(components.join('/'), { components, mtime: entry.mtime });
  }

  #root(entry: TarEntry): void {
    if (entry.type !== 'directory') throw new Fault('invalid', `layer: its root is a ${entry.type}, not a directory`);
    this.hasRoot = true;
    const path = `${this.#tree.directory([])}/.`;
    this.#owned(path, entry);
    this.#directories.set('', { components: [], mtime: entry.mtime });
  }

  /** A second name for a file that is in this layer already; the target may be a symbolic link, and is not followed. */
  #link(entry: TarEntry, parents: readonly string[], name: string): void {
    const target = componentsOf(entry.linkName);
    const last = target.pop();
    const missing = (): Fault => new Fault('invalid', `layer: ${JSON.stringify(entry.name)} is a hard link to ${JSON.stringify(entry.linkName)}, which the layer does not have`);
    if (last === undefined) throw missing();
    const path = `${this.#tree.directory(parents)}/${name}`;
    const made = this.#tree.within(target, (from) => {
      const source = `${from}/${last}`;
      const stat = lstatSync(source, { throwIfNoEntry: false });
      if (!stat || stat.isDirectory()) throw missing();
      const there = lstatSync(path, { throwIfNoEntry: false });
      if (!there || there.ino !== stat.ino) this.#replacing(path, () => linkSync(source, path));
      return true;
    });
    if (!made) throw missing();
  }

  #whiteout(components: readonly string[], name: string): void {
    if (name === opaqueMark) {
      if (components.length === 0) {
        throw new Fault('not-implemented', 'layer: an opaque mark on the root directory is not supported; delete its entries one by one');
      }
      this.#files.setXattr(`${this.#tree.directory(components)}/.`, opaqueXattr, Buffer.from('y'));
      return;
    }
    // The rest of this name space is aufs' own bookkeeping, with no meaning outside of it.
    if (name.startsWith('.wh..wh.')) return;
    const deleted = name.slice(whiteoutPrefix.length);
    if (deleted === '' || deleted === '.' || deleted === '..') throw new Fault('invalid', `layer: invalid whiteout ${JSON.stringify(name)}`);
    const path = `${this.#tree.directory(components)}/${deleted}`;
    const found = lstatSync(path, { throwIfNoEntry: false });
    // It deletes what lower layers have, not what this layer has brought under the same name.
    if (!found) this.#files.makeNode(path, constants.S_IFCHR, 0, 0);
    else if (found.isDirectory()) this.#files.setXattr(path, opaqueXattr, Buffer.from('y'));
  }

  #owned(path: string, entry: TarEntry): void {
    lchownSync(path, entry.uid, entry.gid);
    if (entry.type !== 'symlink') changeMode(path, entry.mode);
    this.#attributes(path, entry);
  }

  #attributes(path: string, entry: TarEntry): void {
    for (const [name, value] of entry.xattrs) {
      // overlayfs' own attributes redirect a name to elsewhere, and SELinux' labels are the host's: neither is an archive's to set.
      if (name.startsWith('trusted.overlay.') || name === 'security.selinux') continue;
      if (name.startsWith('user.') && entry.type !== 'file' && entry.type !== 'directory') {
        throw new Fault('invalid', `layer: ${JSON.stringify(entry.name)} is a ${entry.type}, which cannot have the attribute ${name}`);
      }
      this.#files.setXattr(path, name, value);
    }
  }

  #times(path: string, entry: TarEntry): void {
    this.#files.setTimes(path, entry.atime ?? entry.mtime, entry.mtime);
  }

  /** `make`, after removing what an earlier entry of the same name made. */
  #replacing<T>(path: string, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      this.#tree.clear(path);
      return make();
    }
  }
}

/** chmod(2) that follows no link: where a container runs in the tree, it may have put one in the place of what was just made. */
function changeMode(path: string, mode: number): void {
  const fd = openSync(path, openPath | constants.O_NOFOLLOW);
  try {
    chmodSync(`/proc/self/fd/${fd}`, mode);
  } finally {
    closeSync(fd);
  }
}

/** The components of a name in an archive, `.` and `..` applied; a name that leaves the root is refused. */
export function componentsOf(name: string): string[] {
  const components: string[] = [];
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') components.push(part);
    else if (components.pop() === undefined) {
      throw new Fault('invalid', `layer: the name ${JSON.stringify(name)} leads outside of the layer`);
    }
  }
  return components;
}

function namingEntry(error: unknown, entry: TarEntry): unknown {
  const errno = errnoOf(error);
  // ENOENT: the entry replaces what it is a hard link into.
  if (errno !== undefined && ['ENAMETOOLONG', 'ENOTDIR', 'ELOOP', 'ENOENT'].includes(errno)) {
    return new Fault('invalid', `layer: ${JSON.stringify(entry.name)} cannot be made (${errno})`, { cause: error });
  }
  return error;
}
