/**
 * Where a path of a container is on the host. A running container is seen through its process's root, with all its mounts;
 * of a stopped one the root file system is mounted for the while, and paths below a mount's target lead to its source.
 * A place is a directory to open and a path to resolve *inside* it, so that links cannot lead out.
 */
import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import { Fault } from '#lib/errors.ts';
import { namesInRoot } from '#lib/rootfs-path.ts';
import type { ContainerContext } from '../containers/context.ts';
import type { ContainerRecord } from '../containers/record.ts';
import { isAlive } from '../containers/record.ts';

export interface Place {
  /** Host directory that counts as `/`. */
  root: string;
  /** Path inside it; ends with `/` or `/.` where the asked one did. */
  path: string;
  /** What mounts show, by path inside `root`: for roots that are mounted without them. */
  mounts: ReadonlyMap<string, MountSource>;
}

/** A host directory, and the path inside it that the mount shows ('' for all of it). */
export interface MountSource {
  root: string;
  path: string;
}

export async function withPlace<T>(context: ContainerContext, record: ContainerRecord, path: string, use: (place: Place) => Promise<T>): Promise<T> {
  const asked = normalize(path);
  if (isAlive(record)) return withRootOf(context, record, (root) => use({ root, path: asked, mounts: new Map() }));
  const root = await context.rootfs.hold(record.id);
  try {
    return await use(await placeOfStopped(context, record, root, asked));
  } finally {
    await context.rootfs.release(record.id);
  }
}

/** Linux's, which Node does not name. */
const openPath = 0o10000000;

/**
 * The root of a running container's process, held open: whatever becomes of the process, it is this root. A process id that
 * the host gave to another process in the meantime would lead to the host's own root, which is refused.
 */
async function withRootOf<T>(context: ContainerContext, record: ContainerRecord, use: (root: string) => Promise<T>): Promise<T> {
  const gone = (cause?: unknown): Fault => new Fault('conflict', `container ${record.id} is ending; try again`, { cause });
  let fd: number;
  try {
    fd = openSync(`/proc/${record.state.pid}/root`, openPath | constants.O_DIRECTORY);
  } catch (error) {
    throw gone(error);
  }
  try {
    const [own, host] = [fstatSync(fd), statSync('/')];
    if (own.dev === host.dev && own.ino === host.ino) throw gone();
    return await use(context.files.pathOf(fd));
  } finally {
    closeSync(fd);
  }
}

/** Absolute and clean, keeping a last `/` or `/.`, which say "what is in it". */
export function normalize(path: string): string {
  const clean = posix.normalize(`/${path}`);
  if (path.endsWith('/.')) return clean === '/' ? '/.' : `${clean.replace(/\/$/, '')}/.`;
  return clean;
}

function mountSources(context: ContainerContext, record: ContainerRecord): Map<string, MountSource> {
  const result = new Map<string, MountSource>();
  for (const mount of record.mounts) {
    const root = mount.volume === undefined ? mount.source : context.volumes.get(mount.volume)?.mountpoint;
    if (mount.type !== 'tmpfs' && root !== undefined) result.set(mount.target, { root, path: mount.subpath ? `/${mount.subpath}` : '' });
  }
  return result;
}

/** Walks the path over links, as a process of the container would, to find under which mount it ends. */
async function placeOfStopped(context: ContainerContext, record: ContainerRecord, root: string, path: string): Promise<Place> {
  const mounts = mountSources(context, record);
  if (mounts.size === 0) return { root, path, mounts };
  const place = (names: readonly string[]): Place => locate(root, mounts, names);
  const names = await namesInRoot(path, (below) => join(place(below).root, place(below).path), { followLast: false });
  const tail = /\/\.?$/.exec(path)?.[0] ?? '';
  const found = place(names);
  return { root: found.root, path: found.path === '/' ? `/${tail.slice(1)}` : `${found.path}${tail}`, mounts: found.mounts };
}

/** The innermost mount that holds the path, or the root itself. */
function locate(root: string, mounts: ReadonlyMap<string, MountSource>, names: readonly string[]): Place {
  const path = `/${names.join('/')}`;
  const inside = (target: string, other: string): boolean => other === target || other.startsWith(`${target}/`);
  const best = [...mounts.keys()].filter((target) => inside(target, path)).sort((a, b) => b.length - a.length)[0];
  const base = best ?? '';
  const source = (best === undefined ? undefined : mounts.get(best)) ?? { root, path: '' };
  const below = [...mounts].filter(([target]) => target !== base && inside(base, target));
  return {
    root: source.root,
    path: `${source.path}${path.slice(base.length)}` || '/',
    mounts: new Map(below.map(([target, shown]): [string, MountSource] => [`${source.path}${target.slice(base.length)}`, shown])),
  };
}
