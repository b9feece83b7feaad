import { Fault } from '#lib/errors.ts';
import { closeSync, constants, existsSync, lstatSync, lutimesSync, openSync, readlinkSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoFault, faulting } from '../errno.ts';
import type { Files } from './types.ts';

export interface FakeFiles extends Files {
  calls: string[];
  /** Attributes by path. */
  xattrs: Map<string, Map<string, Buffer>>;
  /** What `makeNode` was asked for; on the disk there is an empty file. */
  nodes: Map<string, { mode: number; major: number; minor: number }>;
}

const linkLimit = 40;

/** Works on real directories with no privilege: attributes and device nodes are kept in memory. Not safe against a racing writer. */
export function fakeFiles(): FakeFiles {
  const calls: string[] = [];
  const xattrs: FakeFiles['xattrs'] = new Map();
  const nodes: FakeFiles['nodes'] = new Map();
  const attributes = (path: string, what: string): Map<string, Buffer> => {
    faulting(what, () => lstatSync(path));
    const found = xattrs.get(path) ?? new Map<string, Buffer>();
    xattrs.set(path, found);
    return found;
  };
  return {
    calls,
    xattrs,
    nodes,
    getXattr: (path, name) => attributes(path, `read attribute ${name} of ${path}`).get(name),
    setXattr(path, name, value) {
      calls.push(`set attribute ${name} of ${path}`);
      attributes(path, `set attribute ${name} of ${path}`).set(name, Buffer.from(value));
    },
    removeXattr(path, name) {
      calls.push(`remove attribute ${name} of ${path}`);
      const what = `remove attribute ${name} of ${path}`;
      if (!attributes(path, what).delete(name)) throw errnoFault('ENODATA', what);
    },
    listXattrs: (path) => [...attributes(path, `list the attributes of ${path}`).keys()],
    makeNode(path, mode, major = 0, minor = 0) {
      calls.push(`make node ${path} ${mode.toString(8)} ${major}:${minor}`);
      faulting(`make the node ${path}`, () => writeFileSync(path, '', { flag: 'wx', mode: mode & 0o7777 }));
      nodes.set(path, { mode, major, minor });
    },
    setTimes(path, atime, mtime) {
      faulting(`set the times of ${path}`, () => lutimesSync(path, Number(atime) / 1e9, Number(mtime) / 1e9));
    },
    openInRoot(root, path, flags, mode = 0) {
      const what = `open ${path} within its root`;
      const follow = (flags & constants.O_NOFOLLOW) === 0;
      return faulting(what, () => openSync(resolveIn(realpathSync(`/proc/self/fd/${root}`), path, follow, what), flags, mode));
    },
    pathOf: (fd) => `/proc/self/fd/${fd}`,
    rename(from, to, how) {
      const what = `rename ${from} to ${to} (${how})`;
      calls.push(what);
      if (how === 'no-replace' && existsSync(to)) throw errnoFault('EEXIST', what);
      if (how === 'no-replace') faulting(what, () => renameSync(from, to));
      else faulting(what, () => exchange(from, to));
    },
    syncDirectory: (path) => {
      calls.push(`sync ${path}`);
      faulting(`sync the directory ${path}`, () => closeSync(openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)));
    },
    // at once, so that a world with a clock of its own stays in step
    removeTree: async (path) => faulting(`remove ${path}`, () => rmSync(path, { recursive: true, force: true })),
    reserve: (fd, from, bytes) => void calls.push(`set aside ${bytes} bytes of ${fd} from ${from}`),
    space: (path) => {
      faulting(`look up the space of ${path}`, () => lstatSync(path));
      return { total: 100 * 2 ** 30, free: 50 * 2 ** 30, available: 40 * 2 ** 30 };
    },
    lock: fakeLocks(),
    close: (fd) => faulting(`close descriptor ${fd}`, () => closeSync(fd)),
  };
}

function exchange(from: string, to: string): void {
  lstatSync(to);
  const aside = `${from}.exchange`;
  renameSync(from, aside);
  renameSync(to, from);
  renameSync(aside, to);
}

/** Walks `path` as if `root` were `/`. */
function resolveIn(root: string, path: string, followLast: boolean, what: string): string {
  let todo = path.split('/').filter((part) => part !== '' && part !== '.');
  let done: string[] = [];
  let links = 0;
  if (path === '') throw errnoFault('ENOENT', what);
  while (todo.length > 0) {
    const [part = '', ...rest] = todo;
    todo = rest;
    if (part === '..') {
      done.pop();
      continue;
    }
    const here = join(root, ...done, part);
    const target = rest.length > 0 || followLast ? linkTarget(here) : undefined;
    if (target === undefined) {
      done.push(part);
      continue;
    }
    if (++links > linkLimit) throw new Fault('invalid', `${what}: too many levels of symbolic links (ELOOP)`, { details: { errno: 'ELOOP' } });
    if (target.startsWith('/')) done = [];
    todo = [...target.split('/').filter((each) => each !== '' && each !== '.'), ...rest];
  }
  return join(root, ...done);
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // no link, or nothing there: the open tells
  }
}

function fakeLocks(): Files['lock'] {
  const locked = new Set<string>();
  return (path) => {
    const what = `lock ${path}`;
    if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) throw errnoFault('ELOOP', what);
    if (locked.has(path)) throw new Fault('conflict', `${what}: another process has it`);
    faulting(what, () => writeFileSync(path, '', { flag: 'a', mode: 0o600 }));
    locked.add(path);
    return { release: () => void locked.delete(path) };
  };
}
