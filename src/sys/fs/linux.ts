import { deviceNumber } from '#lib/device-number.ts';
import { Fault } from '#lib/errors.ts';
import { closeSync, constants, fsyncSync, openSync, statfsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { errnoFault, errnoName, errnoOf, faulting, nodeFault } from '../errno.ts';
import { check, lastErrno, libc } from '../libc.ts';
import type { Files } from './types.ts';

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const RESOLVE_NO_MAGICLINKS = 0x02n;
const RESOLVE_IN_ROOT = 0x10n;
const O_CLOEXEC = 0o2000000;
const O_TMPFILE = 0o20200000;
const FALLOC_FL_KEEP_SIZE = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;
const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;

/** XATTR_SIZE_MAX and XATTR_LIST_MAX of the kernel, in bytes. */
const xattrLimitBytes = 64 * 1024;
// Used within one synchronous call, and never kept.
let scratch: Buffer | undefined;

function xattrBuffer(): Buffer {
  scratch ??= Buffer.allocUnsafeSlow(xattrLimitBytes);
  return scratch;
}

/** How often a look-up that raced with a rename is begun again. */
const openAttempts = 16;

export function linuxFiles(): Files {
  return {
    getXattr,
    setXattr: (path, name, value) => void check(libc().lsetxattr(path, name, value, value.length, 0), `set attribute ${name} of ${path}`),
    removeXattr: (path, name) => void check(libc().lremovexattr(path, name), `remove attribute ${name} of ${path}`),
    listXattrs,
    makeNode: (path, mode, major = 0, minor = 0) => void check(libc().mknod(path, mode, deviceNumber(major, minor)), `make the node ${path}`),
    setTimes,
    openInRoot,
    pathOf: (fd) => `/proc/self/fd/${fd}`,
    rename: (from, to, how) => {
      const flags = how === 'exchange' ? RENAME_EXCHANGE : RENAME_NOREPLACE;
      check(libc().renameat2(AT_FDCWD, from, AT_FDCWD, to, flags), `rename ${from} to ${to} (${how})`);
    },
    syncDirectory: (path) =>
      faulting(`sync the directory ${path}`, () => {
        const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
        try {
          fsyncSync(fd);
        } finally {
          closeSync(fd);
        }
      }),
    removeTree: async (path) => {
      try {
        await rm(path, { recursive: true, force: true });
      } catch (error) {
        throw nodeFault(error, `remove ${path}`);
      }
    },
    space: (path) => {
      const { bsize, blocks, bfree, bavail } = faulting(`look up the space of ${path}`, () => statfsSync(path));
      return { total: blocks * bsize, free: bfree * bsize, available: bavail * bsize };
    },
    reserve: (fd, from, bytes) => void check(libc().fallocate(fd, FALLOC_FL_KEEP_SIZE, from, bytes), `set aside ${bytes} bytes of the disk`),
    lock,
    close: (fd) => faulting(`close descriptor ${fd}`, () => closeSync(fd)),
  };
}

/** Of the file as it was opened here: a child that the descriptor is not given to does not have it. */
function lock(path: string): { release(): void } {
  const what = `lock ${path}`;
  const fd = faulting(what, () => openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600));
  if (libc().flock(fd, LOCK_EX | LOCK_NB) !== 0) {
    const errno = lastErrno();
    closeSync(fd);
    throw errnoName(errno) === 'EAGAIN' ? new Fault('conflict', `${what}: another process has it`, { details: { errno: 'EAGAIN' } }) : errnoFault(errno, what);
  }
  return { release: () => closeSync(fd) };
}

function getXattr(path: string, name: string): Buffer | undefined {
  const what = `read attribute ${name} of ${path}`;
  const value = xattrBuffer();
  const length = libc().lgetxattr(path, name, value, value.length);
  if (length >= 0) return Buffer.from(value.subarray(0, length));
  const fault = errnoFault(lastErrno(), what);
  if (['ENODATA', 'EOPNOTSUPP'].includes(errnoOf(fault) ?? '')) return undefined;
  throw fault;
}

function listXattrs(path: string): string[] {
  const list = xattrBuffer();
  const length = libc().llistxattr(path, list, list.length);
  if (length >= 0) return list.toString('utf8', 0, length).split('\0').filter((name) => name !== '');
  const fault = errnoFault(lastErrno(), `list the attributes of ${path}`);
  if (errnoOf(fault) === 'EOPNOTSUPP') return [];
  throw fault;
}

function setTimes(path: string, atime: bigint, mtime: bigint): void {
  const second = 1_000_000_000n;
  const times = Buffer.alloc(32); // two struct timespec
  [atime, mtime].forEach((time, i) => {
    const nanos = ((time % second) + second) % second; // before 1970 too, this part is not negative
    times.writeBigInt64LE((time - nanos) / second, i * 16);
    times.writeBigInt64LE(nanos, i * 16 + 8);
  });
  check(libc().utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), `set the times of ${path}`);
}

function openInRoot(root: number, path: string, flags: number, mode = 0): number {
  const what = `open ${path} within its root`;
  if (path.includes('\0')) throw new Fault('invalid', `${JSON.stringify(path)} is not a path`);
  const makes = (flags & constants.O_CREAT) !== 0 || (flags & O_TMPFILE) === O_TMPFILE;
  const how = Buffer.alloc(24); // struct open_how: flags, mode, resolve
  how.writeBigUInt64LE(BigInt(flags | O_CLOEXEC), 0);
  how.writeBigUInt64LE(BigInt(makes ? mode & 0o7777 : 0), 8);
  how.writeBigUInt64LE(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, 16);
  for (let attempt = 1; ; attempt++) {
    const fd = libc().openat2(root, path, how, how.length);
    if (fd >= 0) return fd;
    const fault = errnoFault(lastErrno(), what);
    // The kernel gives up where it cannot be sure that a `..` stayed inside, as something was moved meanwhile.
    if (errnoOf(fault) !== 'EAGAIN' || attempt === openAttempts) throw fault;
  }
}
