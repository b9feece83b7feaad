/**
 * Where a path of a container is on the host. A running container is seen through its process's root, with all its mounts;
 * of a stopped one the root file system is mounted for the while, and paths below a mount's target lead to its source.
 * A place is a directory to open and a path to resolve *inside* it, so that links cannot lead out.
 */
import { lstat, readlink } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { Fault } from '#lib/errors.ts';
import { resolveInRoot } from '#lib/rootfs-path.ts';
import type { ContainerContext } from '../containers/context.ts';
import type { ContainerRecord, MountRecord } from '../containers/record.ts';
import { isAlive } from '../containers/record.ts';

export interface Place {
  /** Host directory that counts as `/`. */
  root: string;
  /** Path inside it; ends with `/` or `/.` where the asked one did. */
  path: string;
  /** Host directories of mounts, by path inside `root`: for roots that are mounted without them. */
  mounts: ReadonlyMap<string, string>;
}

const mostLinks = 40;

export async function withPlace<T>(context: ContainerContext, record: ContainerRecord, path: string, use: (place: Place) => Promise<T>): Promise<T> {
  const asked = normalize(path);
  if (isAlive(record)) return use({ root: `/proc/${record.state.pid}/root`, path: asked, mounts: new Map() });
  const root = await context.rootfs.hold(record.id);
  try {
    return await use(await placeOfStopped(context, record, root, asked));
  } finally {
    await context.rootfs.release(record.id);
  }
}

/** Absolute and clean, keeping a last `/` or `/.`, which say "what is in it". */
export function normalize(path: string): string {
  const clean = posix.normalize(`/${path}`);
  if (path.endsWith('/.')) return clean === '/' ? '/.' : `${clean.replace(/\/$/, '')}/.`;
  return clean;
}

/** Host directory of each bind and volume. */
export async function mountDirectories(context: ContainerContext, record: ContainerRecord): Promise<Map<string, string>> {
  const result = new Map<string, string>();
  for (const mount of record.mounts) {
    const source = await mountSource(context, mount);
    if (source !== undefined) result.set(mount.target, source);
  }
  return result;
}

async function mountSource(context: ContainerContext, mount: MountRecord): Promise<string | undefined> {
  if (mount.type === 'tmpfs') return undefined;
  if (mount.volume === undefined) return mount.source;
  const root = context.volumes.get(mount.volume)?.mountpoint;
  return root === undefined ? undefined : mount.subpath ? resolveInRoot(root, mount.subpath) : root;
}

/** Walks the path over links, as a process of the container would, to find under which mount it ends. */
async function placeOfStopped(context: ContainerContext, record: ContainerRecord, root: string, path: string): Promise<Place> {
  const mounts = await mountDirectories(context, record);
  if (mounts.size === 0) return { root, path, mounts };
  let done: string[] = [];
  let pending = path.split('/').filter((p) => p !== '' && p !== '.');
  let links = 0;
  for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
    if (name === '..') {
      done.pop();
      continue;
    }
    const here = locate(root, mounts, [...done, name]);
    const target = pending.length === 0 ? undefined : await linkTarget(join(here.root, here.path));
    if (target === undefined) {
      done.push(name);
      continue;
    }
    if (++links > mostLinks) throw new Fault('invalid', `too many levels of symbolic links: ${path}`);
    if (target.startsWith('/')) done = [];
    pending = [...target.split('/').filter((p) => p !== '' && p !== '.'), ...pending];
  }
  const tail = /\/\.?$/.exec(path)?.[0] ?? '';
  const found = locate(root, mounts, done);
  return { root: found.root, path: found.path === '/' ? `/${tail.slice(1)}` : `${found.path}${tail}`, mounts: found.below };
}

/** The innermost mount that holds the path, or the root itself. */
function locate(root: string, mounts: ReadonlyMap<string, string>, names: readonly string[]): { root: string; path: string; below: ReadonlyMap<string, string> } {
  const path = `/${names.join('/')}`;
  const inside = (target: string, other: string): boolean => other === target || other.startsWith(`${target}/`);
  const best = [...mounts.keys()].filter((target) => inside(target, path)).sort((a, b) => b.length - a.length)[0];
  const base = best ?? '';
  const below = [...mounts].filter(([target]) => target !== base && inside(base, target)).map(([target, source]): [string, string] => [target.slice(base.length), source]);
  return { root: best === undefined ? root : (mounts.get(best) ?? root), path: path.slice(base.length) || '/', below: new Map(below) };
}

async function linkTarget(path: string): Promise<string | undefined> {
  const found = await lstat(path).catch(() => undefined);
  return found?.isSymbolicLink() ? readlink(path) : undefined;
}
