import { closeSync, constants, lstatSync, mkdirSync, openSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { Fault, codeOf, isFault } from '#lib/errors.ts';
import { openPath } from '#lib/open-flags.ts';
import type { Files } from '#sys/fs/types.ts';

const directoryFlags = openPath | constants.O_DIRECTORY;

/** The errno of what Node or `Files` threw. */
export function errnoOf(error: unknown): string | undefined {
  if (isFault(error)) return typeof error.details.errno === 'string' ? error.details.errno : undefined;
  return codeOf(error);
}

export const opaqueXattr = 'trusted.overlay.opaque';

/**
 * A directory tree that names from an archive are resolved in. The directory that holds a name is opened by
 * openat2(RESOLVE_IN_ROOT), so links met on the way, absolute or with `..`, stay inside; what is then done is done
 * to one component below that descriptor (`/proc/self/fd/N/name`) by calls that follow no link. So it does not
 * matter what the archive made of a directory between two of its entries.
 */
export class ConfinedTree {
  readonly #files: Files;
  readonly #root: number;
  #cached: { path: string; fd: number } | undefined;
  #stale = false;

  constructor(root: string, files: Files) {
    this.#files = files;
    this.#root = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  }

  close(): void {
    this.#forget();
    this.#files.close(this.#root);
  }

  /** A path to the directory `components`, made where it is missing. */
  directory(components: readonly string[]): string {
    if (components.length === 0) return this.#files.pathOf(this.#root);
    const path = components.join('/');
    if (this.#stale || this.#cached?.path !== path) {
      const fd = this.#open(path) ?? this.#make(components);
      this.#forget();
      this.#cached = { path, fd };
      this.#stale = false;
    }
    return this.#files.pathOf(this.#cached!.fd);
  }

  /** What `use` makes of a path to the directory `components`; undefined where that is missing or no directory. */
  within<T>(components: readonly string[], use: (path: string) => T): T | undefined {
    if (components.length === 0) return use(this.#files.pathOf(this.#root));
    const fd = this.#open(components.join('/'));
    if (fd === undefined) return undefined;
    try {
      return use(this.#files.pathOf(fd));
    } finally {
      this.#files.close(fd);
    }
  }

  /** Removes what is at `path` (of one component below a directory from here); says whether it was a whiteout. */
  clear(path: string): { wasWhiteout: boolean } {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (!found) return { wasWhiteout: false };
    remove(path, 0);
    // The remembered directory may be what was removed, or have been reached through it. It stays open, since
    // `path` may be below it, and is looked up anew the next time.
    this.#stale = true;
    return { wasWhiteout: isWhiteout(found) };
  }

  #forget(): void {
    if (this.#cached) this.#files.close(this.#cached.fd);
    this.#cached = undefined;
  }

  #open(path: string): number | undefined {
    try {
      return this.#files.openInRoot(this.#root, path, directoryFlags);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
      throw new Fault('invalid', `layer: the directory ${JSON.stringify(path)} cannot be entered (${errno})`, { cause: error });
    }
  }

  #make(components: readonly string[]): number {
    let fd = -1;
    try {
      for (const [i, name] of components.entries()) {
        const path = components.slice(0, i + 1).join('/');
        let next = this.#open(path);
        if (next === undefined) {
          this.#makeOne(`${this.#files.pathOf(fd === -1 ? this.#root : fd)}/${name}`, path);
          next = this.#open(path);
        }
        if (next === undefined) throw notDirectory(path);
        if (fd !== -1) this.#files.close(fd);
        fd = next;
      }
      return fd;
    } catch (error) {
      if (fd !== -1) this.#files.close(fd);
      throw error;
    }
  }

  #makeOne(place: string, path: string): void {
    const found = lstatSync(place, { throwIfNoEntry: false });
    if (found && !isWhiteout(found)) throw notDirectory(path);
    if (found) this.clear(place);
    mkdirSync(place, 0o755);
    // The name below was deleted by this layer and is made anew: what lower layers hold there stays hidden.
    if (found) this.#files.setXattr(place, opaqueXattr, Buffer.from('y'));
  }
}

/** Levels of directories that are removed; the kernel takes no deeper path at once. */
const mostDepth = 2048;

/** Each directory is opened, following no link, before what is in it is removed: a container may swap it for a link meanwhile. */
function remove(path: string | Buffer, depth: number): void {
  if (depth > mostDepth) throw new Fault('too-large', `a tree is more than ${mostDepth} directories deep; remove it by hand`);
  try {
    unlinkSync(path);
    return;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    if (codeOf(error) !== 'EISDIR') throw error;
  }
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    // it became something else
    if (codeOf(error) === 'ENOTDIR' || codeOf(error) === 'ELOOP' || codeOf(error) === 'ENOENT') return remove(path, depth + 1);
    throw error;
  }
  try {
    // names may be of any bytes
    for (const name of readdirSync(`/proc/self/fd/${fd}`, { encoding: 'buffer' })) remove(Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name]), depth + 1);
  } finally {
    closeSync(fd);
  }
  rmdirSync(path);
}

/** Whether it is overlayfs' mark of a deleted name: a character device 0/0. */
export function isWhiteout(stat: Pick<Stats, 'isCharacterDevice' | 'rdev'>): boolean {
  return stat.isCharacterDevice() && Number(stat.rdev) === 0;
}

function notDirectory(path: string): Fault {
  return new Fault('invalid', `layer: ${JSON.stringify(path)} is not a directory, and the archive has entries below it`);
}
