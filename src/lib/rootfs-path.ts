import { lstat, readlink } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { Fault, codeOf } from './errors.ts';

/** Symbolic links followed in one look-up, as Linux has it. */
const mostLinks = 40;

/**
 * The host path of `path` inside the tree at `root`, as the tree's own processes would see it: absolute links and
 * `..` stay inside. What does not exist is appended as it is. `followLast: false` leaves a link at the end.
 * Only for trees that no process changes meanwhile; others need `Files.openInRoot`.
 * Faults: `invalid` for a loop of links.
 */
export async function resolveInRoot(root: string, path: string, options: FollowOptions = {}): Promise<string> {
  return join(root, ...(await namesInRoot(path, (names) => join(root, ...names), options)));
}

interface FollowOptions {
  followLast?: boolean;
}

/** The same for a tree of several parts: the names below its root; `hostPath` tells where such names are on the host. */
export async function namesInRoot(path: string, hostPath: (names: readonly string[]) => string, options: FollowOptions = {}): Promise<string[]> {
  let pending = posix.normalize(`/${path}`).split('/').filter(Boolean);
  let done: string[] = [];
  let links = 0;
  for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
    if (name === '..') {
      done.pop();
      continue;
    }
    const last = pending.length === 0;
    const target = last && options.followLast === false ? undefined : await linkTarget(hostPath([...done, name]));
    if (target === undefined) {
      done.push(name);
      continue;
    }
    if (++links > mostLinks) throw new Fault('invalid', `too many levels of symbolic links: ${path}`);
    if (target.startsWith('/')) done = [];
    pending = [...target.split('/').filter((p) => p !== '' && p !== '.'), ...pending];
  }
  return done;
}

async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return (await lstat(path)).isSymbolicLink() ? await readlink(path) : undefined;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}
