import { Fault, isFault } from '#lib/errors.ts';
import { closeSync, constants, openSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Poller } from '../epoll/poller.ts';
import { sharedPoller } from '../epoll/poller.ts';
import { errnoOf, faulting } from '../errno.ts';
import { check, lastErrno, libc } from '../libc.ts';
import { linuxMounts } from '../mount/linux.ts';
import { connectInet, knockInet, listenInet } from './sockets.ts';
import { sysctlFile } from './sysctls.ts';
import type { NetNamespaces, PinnedKind } from './types.ts';

const cloneFlags: Readonly<Record<PinnedKind, number>> = { net: 0x40000000, ipc: 0x08000000, uts: 0x04000000 };
const NSFS_MAGIC = 0x6e736673;
const HOST_NAME_MAX = 64;
const { O_RDONLY } = constants;

/**
 * unshare(2) and setns(2) change the calling thread alone. All of this is synchronous, so nothing else runs on
 * the main thread meanwhile; Node's other threads stay where they are.
 */
export function linuxNamespaces(poller: Poller = sharedPoller()): NetNamespaces {
  const within: NetNamespaces['within'] = (path, fn) => inNamespace('net', path, fn);
  const at = <T>(path: string | undefined, fn: () => T): T => (path === undefined ? fn() : within(path, fn));
  return {
    pin,
    unpin,
    unpinAside,
    isPinned,
    within,
    listen: (path, protocol, address, port) => at(path, () => listenInet(protocol, address, port)),
    knock: knockInet,
    connect: (path, address, port, signal) => connectInet(poller, (start) => at(path, start), address, port, signal),
  };
}

function pin(kind: PinnedKind, path: string, options: { hostname?: string; sysctls?: Readonly<Record<string, string>> } = {}): void {
  const what = `pin a ${kind} namespace at ${path}`;
  const sysctls = Object.entries(options.sysctls ?? {}).map(([name, value]) => ({ name, value, file: sysctlFile(kind, name) }));
  const hostname = options.hostname;
  if (hostname !== undefined && (kind !== 'uts' || Buffer.byteLength(hostname) > HOST_NAME_MAX)) {
    throw new Fault('invalid', kind === 'uts' ? `the host name "${hostname}" is longer than ${HOST_NAME_MAX} bytes` : `${what}: only a uts namespace has a host name`);
  }
  faulting(what, () => closeSync(openSync(path, 'wx', 0o444)));
  try {
    returning(kind, () => {
      check(libc().unshare(cloneFlags[kind]), what);
      if (kind === 'net') bringLoopbackUp();
      if (hostname !== undefined) check(libc().sethostname(hostname, Buffer.byteLength(hostname)), `${what}: set its host name`);
      for (const { name, value, file } of sysctls) faulting(`${what}: set ${name}`, () => writeFileSync(file, value));
      check(libc().mount(`/proc/thread-self/ns/${kind}`, path, null, 0x1000 /* MS_BIND */, null), what);
    });
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  }
}

function unpin(path: string): void {
  try {
    linuxMounts().unmount(path, { detach: true });
  } catch (error) {
    if (!isFault(error, 'not-found') && errnoOf(error) !== 'EINVAL') throw error;
  }
  faulting(`remove ${path}`, () => rmSync(path, { force: true }));
}

async function unpinAside(path: string): Promise<void> {
  try {
    await linuxMounts().unmountAside(path, { detach: true });
  } catch {
    // whatever it was: what cannot be let go there cannot be here either, which says why
    unpin(path);
  }
  await rm(path, { force: true });
}

function isPinned(path: string): boolean {
  try {
    return statfsSync(path).type === NSFS_MAGIC;
  } catch {
    return false;
  }
}

/** Runs `fn` in the namespace at `path`. */
export function inNamespace<T>(kind: PinnedKind, path: string, fn: () => T): T {
  const what = `enter the ${kind} namespace at ${path}`;
  const target = faulting(what, () => openSync(path, O_RDONLY));
  try {
    return returning(kind, () => {
      check(libc().setns(target, cloneFlags[kind]), what);
      return fn();
    });
  } finally {
    closeSync(target);
  }
}

/** Runs `fn`, which changes the thread's namespace of the kind, and comes back whatever happens. */
function returning<T>(kind: PinnedKind, fn: () => T): T {
  const home = faulting(`open this thread's ${kind} namespace`, () => openSync(`/proc/thread-self/ns/${kind}`, O_RDONLY));
  try {
    const result = fn();
    if (result instanceof Promise) throw new Error('assertion failed: what runs inside a namespace is synchronous');
    return result;
  } finally {
    const back = libc().setns(home, cloneFlags[kind]);
    // In the wrong namespace every later call would do harm.
    if (back !== 0) {
      process.stderr.write(`cannot return from a ${kind} namespace (errno ${lastErrno()}); stopping\n`);
      process.abort();
    }
    closeSync(home);
  }
}

/** SIOCSIFFLAGS on `lo` of the present namespace. */
function bringLoopbackUp(): void {
  const SIOCSIFFLAGS = 0x8914;
  const request = Buffer.alloc(40); // struct ifreq
  request.write('lo');
  request.writeUInt16LE(0x1 | 0x8, 16); // IFF_UP | IFF_LOOPBACK
  const fd = check(libc().socket(2, 2 | 0o2000000, 0), 'open a socket in the new namespace');
  try {
    check(libc().ioctlBytes(fd, SIOCSIFFLAGS, request), 'bring lo up');
  } finally {
    closeSync(fd);
  }
}
