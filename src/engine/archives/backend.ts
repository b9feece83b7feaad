/** docker cp and export. */
import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import type { WriteArchiveOptions } from '#api/docker/calls.ts';
import type { PathStat } from '#api/docker/containers.ts';
import { resolveUser } from '#core/containers/user.ts';
import { extractArchive } from '#core/snapshots/unpack/extract.ts';
import { Fault, codeOf, isFault } from '#lib/errors.ts';
import { openPath } from '#lib/open-flags.ts';
import { encodeTar } from '#lib/tar/write.ts';
import type { TarEntry } from '#lib/tar/types.ts';
import type { ContainerContext } from '../containers/context.ts';
import { emitContainer } from '../containers/context.ts';
import type { ContainerRecord } from '../containers/record.ts';
import { isAlive } from '../containers/record.ts';
import type { MountSource, Place } from './place.ts';
import { normalize, withPlace } from './place.ts';
import { pathStat } from './stat.ts';
import { openDirectory, walk } from './walk.ts';

/** What one `docker cp` may bring. */
const copyLimits = { limitBytes: 512 * 1024 ** 3, limitEntries: 4 * 1024 * 1024 } as const;
const openNoFollow = openPath | constants.O_NOFOLLOW;

export class ArchivesBackend {
  readonly #context: ContainerContext;

  constructor(context: ContainerContext) {
    this.#context = context;
  }

  async stat(reference: string, path: string): Promise<PathStat> {
    const record = this.#context.set.must(reference);
    return withPlace(this.#context, record, path, async (place) => this.#within(record, place, path, ({ name, stat, place: at }) => describe(name, path, stat, at)));
  }

  /** The container is held open until the body has been read or destroyed. */
  async read(reference: string, path: string): Promise<{ stat: PathStat; body: Readable }> {
    const record = this.#context.set.must(reference);
    const head = Promise.withResolvers<PathStat>();
    const body = Readable.from(this.#archive(record, path, head), { objectMode: false, highWaterMark: 256 * 1024 });
    // starts the generator, so that a path that is not there is an error before the answer
    body.once('error', head.reject);
    body.read(0);
    const stat = await head.promise;
    emitContainer(this.#context, record, 'archive-path', { path });
    return { stat, body };
  }

  async *#archive(record: ContainerRecord, path: string, head: PromiseWithResolvers<PathStat>): AsyncGenerator<Buffer> {
    const release = Promise.withResolvers<void>();
    const opened = Promise.withResolvers<Opened>();
    const held = withPlace(this.#context, record, path, async (place) => {
      const found = this.#open(record, place, path);
      opened.resolve(found);
      await release.promise;
      found.close();
    });
    held.catch(opened.reject);
    try {
      const found = await opened.promise;
      head.resolve(describe(found.name, path, found.stat, found.place));
      const { files } = this.#context;
      const start = { parent: found.parent, name: found.last, tarName: found.name, path: found.path };
      yield* encodeTar(walk({ files, mounts: found.mounts }, start));
    } finally {
      release.resolve();
      await held.catch(() => {});
    }
  }

  #within<T>(record: ContainerRecord, place: Place, path: string, use: (found: Opened) => T): T {
    const found = this.#open(record, place, path);
    try {
      return use(found);
    } finally {
      found.close();
    }
  }

  /** The directory that holds the path's last name, and that name; a path that ends in `/` or `/.` is the directory itself. */
  #open(record: ContainerRecord, place: Place, asked: string): Opened {
    const { files } = this.#context;
    const inside = /\/\.?$/.test(place.path);
    const parentPath = inside ? place.path : posix.dirname(place.path);
    const missing = new Fault('not-found', `Could not find the file ${asked} in container ${record.id}`);
    const root = openSync(place.root, constants.O_RDONLY | constants.O_DIRECTORY);
    let parent: number | undefined;
    try {
      parent = files.openInRoot(root, parentPath, openDirectory);
      const last = inside ? '.' : posix.basename(place.path);
      const at = `${files.pathOf(parent)}/${last}`;
      const stat = lstatSync(at, { bigint: true, throwIfNoEntry: false });
      if (!stat) throw missing;
      const fd = parent;
      const clean = posix.normalize(place.path).replace(/(.)\/$/, '$1');
      return { parent: fd, last, name: nameOf(asked), stat, place: at, path: clean, mounts: place.mounts, close: () => files.close(fd) };
    } catch (error) {
      if (parent !== undefined) files.close(parent);
      throw isMissing(error) ? missing : error;
    } finally {
      closeSync(root);
    }
  }

  async write(reference: string, options: WriteArchiveOptions, body: Readable): Promise<void> {
    const record = this.#context.set.must(reference);
    checkWritable(record, options.path);
    await withPlace(this.#context, record, `${normalize(options.path).replace(/\/\.?$/, '')}/`, async (place) => {
      const found = this.#open(record, place, options.path);
      found.close();
      if (!found.stat.isDirectory()) throw new Fault('invalid', 'extraction point is not a directory');
      await this.#extract(record, place, options, body);
    });
    emitContainer(this.#context, record, 'extract-to-dir', { path: options.path });
  }

  async #extract(record: ContainerRecord, place: Place, options: WriteArchiveOptions, body: Readable): Promise<void> {
    const { files } = this.#context;
    const owner = options.copyUidGid && record.config.User ? await this.#ownerOf(record) : undefined;
    const root = openSync(place.root, constants.O_RDONLY | constants.O_DIRECTORY);
    const inside = (name: string): string => posix.join(place.path, posix.normalize(`/${name}`));
    const map = (entry: TarEntry): TarEntry | undefined => {
      const name = inside(entry.name);
      // the directory itself is there already, and stays as it is
      if (entry.type === 'directory' && posix.join(name, '/') === posix.join(place.path, '/')) return undefined;
      if (options.noOverwriteDirNonDir) this.#checkKind(root, name, entry);
      return { ...entry, ...owner, name, ...(entry.type === 'link' ? { linkName: inside(entry.linkName) } : {}) };
    };
    try {
      await extractArchive(body as AsyncIterable<Uint8Array>, place.root, files, { ...copyLimits, map });
    } catch (error) {
      const errno = isFault(error) ? error.details['errno'] : codeOf(error);
      if (errno === 'EROFS') throw new Fault('forbidden', 'mounted volume is marked read-only', { cause: error });
      throw error;
    } finally {
      closeSync(root);
    }
  }

  #checkKind(root: number, name: string, entry: TarEntry): void {
    const { files } = this.#context;
    let fd: number;
    try {
      fd = files.openInRoot(root, name, openNoFollow);
    } catch {
      return;
    }
    try {
      const isDirectory = fstatSync(fd).isDirectory();
      if (isDirectory && entry.type !== 'directory') throw new Fault('invalid', `cannot overwrite directory "${name}" with non-directory "${entry.name}"`);
      if (!isDirectory && entry.type === 'directory') throw new Fault('invalid', `cannot overwrite non-directory "${name}" with directory "${entry.name}"`);
    } finally {
      files.close(fd);
    }
  }

  /** The container's own user. */
  #ownerOf(record: ContainerRecord): Promise<{ uid: number; gid: number }> {
    return withPlace(this.#context, record, '/', async ({ root }) => {
      const { uid, gid } = resolveUser(this.#context.files, root, record.config.User ?? '');
      return { uid, gid };
    });
  }

  async export(reference: string): Promise<Readable> {
    const record = this.#context.set.must(reference);
    emitContainer(this.#context, record, 'export');
    return Promise.resolve(Readable.from(this.#exported(record), { objectMode: false, highWaterMark: 256 * 1024 }));
  }

  async *#exported(record: ContainerRecord): AsyncGenerator<Buffer> {
    const { files, rootfs } = this.#context;
    const root = await rootfs.hold(record.id);
    const fd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      yield* encodeTar(walk({ files, mounts: new Map() }, { parent: fd, name: '.', tarName: '.', path: '/' }));
    } finally {
      closeSync(fd);
      await rootfs.release(record.id);
    }
  }
}

interface Opened {
  parent: number;
  last: string;
  /** Name in the archive. */
  name: string;
  stat: BigIntStats;
  /** A path to it that other calls accept. */
  place: string;
  path: string;
  mounts: ReadonlyMap<string, MountSource>;
  close(): void;
}

/** The base name of what was asked; `.` for the content of a directory. */
function nameOf(path: string): string {
  if (path.endsWith('/.') || path === '.') return '.';
  return posix.basename(posix.normalize(`/${path}`)) || '/';
}

function describe(name: string, asked: string, stat: BigIntStats, at: string): PathStat {
  if (!stat.isSymbolicLink()) return pathStat(name, stat, '');
  const target = readlinkSync(at);
  return pathStat(name, stat, posix.resolve(posix.dirname(posix.normalize(`/${asked}`)), target));
}

function isMissing(error: unknown): boolean {
  const errno = isFault(error) ? error.details['errno'] : codeOf(error);
  return errno === 'ENOENT' || errno === 'ENOTDIR';
}

/** A read-only root or mount takes nothing, whether the container runs or not. */
function checkWritable(record: ContainerRecord, path: string): void {
  const asked = posix.join(posix.normalize(`/${path}`), '/');
  const mount = record.mounts.filter((m) => asked.startsWith(`${m.target}/`)).sort((a, b) => b.target.length - a.target.length)[0];
  if (mount?.readOnly) throw new Fault('forbidden', 'mounted volume is marked read-only');
  if (!mount && record.hostConfig.ReadonlyRootfs) throw new Fault('forbidden', 'container rootfs is marked read-only');
  if (mount?.type === 'tmpfs' && !isAlive(record)) throw new Fault('conflict', `${mount.target} is a tmpfs, which is there only while the container runs`);
}
