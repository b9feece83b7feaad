/**
 * Starting a program by posix_spawn(3). Node forks, which takes the page tables of the whole daemon along (5 ms and more, and
 * a fault for each page that is written meanwhile); posix_spawn lends the child its memory until the program is loaded.
 */
import { closeSync, constants as open } from 'node:fs';
import { constants } from 'node:os';
import { Socket } from 'node:net';
import { EPOLLIN } from '../epoll/events.ts';
import type { Poller } from '../epoll/poller.ts';
import { errnoFault } from '../errno.ts';
import { check, libc } from '../libc.ts';
import type { Child } from './types.ts';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const O_CLOEXEC = 0o2000000;
const F_DUPFD_CLOEXEC = 1030;
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;
const P_PIDFD = 3;
const WEXITED = 4;
const CLD_EXITED = 1;
/** More than the C library's opaque structures, and a sigset_t, have in bytes. */
const structBytes = 512;
const sigsetBytes = 128;

export type LightStdio = 'pipe' | 'in' | 'out' | 'ignore';

export interface LightOptions {
  cwd: string | undefined;
  env: Readonly<Record<string, string>>;
  stdio: readonly LightStdio[];
  detached: boolean;
}

/** `file` is an absolute path. A failure to start rejects `exited`. The caller waits for the end: `unref` does nothing. */
export function startLight(poller: Poller, file: string, args: readonly string[], options: LightOptions): Child {
  const pairs: (Pair | undefined)[] = [];
  let started: { errno: number; pid: number };
  try {
    for (const kind of options.stdio) pairs.push(kind === 'ignore' ? undefined : kind === 'pipe' ? socketPair() : oneWayPipe(kind));
    started = spawned(file, args, options, pairs.map((pair) => pair?.theirs));
  } catch (error) {
    for (const pair of pairs) if (pair) closeSync(pair.ours);
    throw error;
  } finally {
    for (const pair of pairs) if (pair) closeSync(pair.theirs);
  }
  const { errno, pid } = started;
  const stdio = pairs.map((pair) => (pair ? new Socket({ fd: pair.ours, readable: pair.readable, writable: pair.writable }) : null));
  if (errno !== 0) for (const stream of stdio) stream?.destroy();
  const exited = errno === 0 ? ended(poller, pid) : Promise.reject(errnoFault(errno, `start ${file}`));
  // Who asks hears of it; a caller that never asks must not end the daemon.
  exited.catch(() => {});
  return { pid: errno === 0 ? pid : undefined, stdio, exited, unref: () => {} };
}

function spawned(file: string, args: readonly string[], options: LightOptions, theirs: readonly (number | undefined)[]): { errno: number; pid: number } {
  const c = libc();
  const actions = Buffer.alloc(structBytes);
  const attributes = Buffer.alloc(structBytes);
  const pid = Buffer.alloc(4);
  c.posix_spawn_file_actions_init(actions);
  c.posix_spawnattr_init(attributes);
  const spare: number[] = [];
  try {
    if (options.cwd !== undefined) c.posix_spawn_file_actions_addchdir_np(actions, options.cwd);
    for (const [fd, source] of theirs.entries()) {
      if (source === undefined) c.posix_spawn_file_actions_addopen(actions, fd, '/dev/null', open.O_RDWR, 0);
      else c.posix_spawn_file_actions_adddup2(actions, aside(source, theirs.length, spare), fd);
    }
    c.posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | (options.detached ? POSIX_SPAWN_SETSID : 0));
    // Node ignores SIGPIPE, and a child would go on to: all signals as they are for a program that a shell starts.
    c.posix_spawnattr_setsigdefault(attributes, Buffer.alloc(sigsetBytes, 0xff));
    c.posix_spawnattr_setsigmask(attributes, Buffer.alloc(sigsetBytes));
    const env = Object.entries(options.env).map(([name, value]) => `${name}=${value}`);
    const errno = c.posix_spawn(pid, file, actions, attributes, [file, ...args, null], [...env, null]);
    return { errno, pid: pid.readInt32LE(0) };
  } finally {
    for (const fd of spare) closeSync(fd);
    c.posix_spawn_file_actions_destroy(actions);
    c.posix_spawnattr_destroy(attributes);
  }
}

/** The descriptor, or a copy of it above those that the child's will be written over. */
function aside(fd: number, count: number, spare: number[]): number {
  if (fd >= count) return fd;
  const copy = check(libc().fcntl(fd, F_DUPFD_CLOEXEC, count), 'copy a descriptor');
  spare.push(copy);
  return copy;
}

/** What is between parent and child; `ours` can be read, or written, or both. */
interface Pair {
  ours: number;
  theirs: number;
  readable: boolean;
  writable: boolean;
}

function socketPair(): Pair {
  const pair = Buffer.alloc(8);
  check(libc().socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 'make a pipe to a child');
  return { ours: pair.readInt32LE(0), theirs: pair.readInt32LE(4), readable: true, writable: true };
}

/** `way` is the child's. */
function oneWayPipe(way: 'in' | 'out'): Pair {
  const ends = Buffer.alloc(8);
  check(libc().pipe2(ends, O_CLOEXEC), 'make a pipe to a child');
  const [read, write] = [ends.readInt32LE(0), ends.readInt32LE(4)];
  return way === 'out' ? { ours: read, theirs: write, readable: true, writable: false } : { ours: write, theirs: read, readable: false, writable: true };
}

async function ended(poller: Poller, pid: number): Promise<{ code: number | null; signal: string | null }> {
  const fd = check(libc().pidfdOpen(pid, 0), `watch process ${pid}`);
  try {
    await poller.ready(fd, EPOLLIN);
    const info = Buffer.alloc(128); // siginfo_t: si_code at 8, si_status at 24
    check(libc().waitid(P_PIDFD, fd, info, WEXITED), `take the status of process ${pid}`);
    const status = info.readInt32LE(24);
    if (info.readInt32LE(8) === CLD_EXITED) return { code: status, signal: null };
    const signal = Object.entries(constants.signals).find(([, number]) => number === status)?.[0] ?? String(status);
    return { code: null, signal };
  } finally {
    closeSync(fd);
  }
}
