import { Fault } from '#lib/errors.ts';
import { readFileSync, realpathSync } from 'node:fs';
import { errnoFault, errnoOf, faulting } from '../errno.ts';
import { check, lastErrno, libc } from '../libc.ts';
import type { ParsedOptions } from './flags.ts';
import { flagsOf, MS, parseOptions, perMount } from './flags.ts';
import { withShortLayers } from './layers.ts';
import { parseMountInfo, tablePath, unmountOrder } from './table.ts';
import type { TableEntry } from './table.ts';
import type { MountEntry, Mounts } from './types.ts';

const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;
const AT_FDCWD = -100;
const AT_RECURSIVE = 0x8000;
const MOUNT_ATTR_RDONLY = 1n;

/** mount(2) copies one page of data and cuts what is longer without a word. */
const dataLimitBytes = 4095;

export function linuxMounts(): Mounts {
  return { mount, mountAside, unmount, unmountAside, list, unmountTree };
}

function mount(source: string, target: string, type: string, options: readonly string[] = []): void {
  const parsed = parseOptions(options);
  const what = `mount ${parsed.flags & MS.BIND ? source : type || source} on ${target}`;
  const whole = { source, target, type, what };
  if (type === 'overlay' && Buffer.byteLength(parsed.data) > dataLimitBytes) withShortLayers(parsed.data, what, (data) => mountParsed(whole, { ...parsed, data }));
  else mountParsed(whole, parsed);
}

async function mountAside(source: string, target: string, type: string, options: readonly string[] = []): Promise<void> {
  const { flags, data, propagation } = parseOptions(options);
  const simple = (flags & (MS.BIND | MS.REMOUNT)) === 0 && propagation.length === 0 && Buffer.byteLength(data) <= dataLimitBytes;
  // one that fails is asked again here, for its reason
  if (!simple || (await libc().mountAside(source, target, type, flags, data)) !== 0) mount(source, target, type, options);
}

function mountParsed(mount: { source: string; target: string; type: string; what: string }, parsed: ParsedOptions): void {
  const { source, target, type, what } = mount;
  if (Buffer.byteLength(parsed.data) > dataLimitBytes) {
    throw new Fault('too-large', `${what}: its options are ${Buffer.byteLength(parsed.data)} bytes and the kernel takes ${dataLimitBytes}; use shorter paths or fewer layers`);
  }
  const remount = (parsed.flags & MS.REMOUNT) !== 0;
  const onlyPropagation = parsed.propagation.length > 0 && parsed.flags === 0 && type === '';
  if (!onlyPropagation) {
    const flags = parsed.flags & MS.BIND && !remount ? parsed.flags & (MS.BIND | MS.REC) : parsed.flags;
    check(libc().mount(source, target, type, flags, parsed.data), what);
  }
  try {
    if (parsed.flags & MS.BIND && !remount) restrictBind(target, parsed.flags, parsed.cleared, what);
    if (parsed.recursiveReadOnly) makeReadOnlyBelow(target, what);
    for (const flag of parsed.propagation) check(libc().mount(null, target, null, flag, null), `${what} (propagation)`);
  } catch (error) {
    if (!remount && !onlyPropagation) libc().umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW);
    throw error;
  }
}

/** The kernel ignores a bind mount's other flags; a remount sets them, and clears those that it does not name. */
function restrictBind(target: string, flags: number, cleared: number, what: string): void {
  const wanted = flags & perMount;
  if (wanted === 0 && (cleared & perMount) === 0) return;
  const there = table().findLast((entry) => entry.target === realpathSync(target));
  const kept = there ? flagsOf(there.own) & ~cleared : 0;
  check(libc().mount(null, target, null, MS.BIND | MS.REMOUNT | kept | wanted, null), `${what} (restricting it)`);
}

function makeReadOnlyBelow(target: string, what: string): void {
  const attributes = Buffer.alloc(32); // struct mount_attr: set, clear, propagation, userns_fd
  attributes.writeBigUInt64LE(MOUNT_ATTR_RDONLY, 0);
  check(libc().mountSetattr(AT_FDCWD, target, AT_RECURSIVE, attributes, attributes.length), `${what} (read-only below)`);
}

function unmount(target: string, options: { detach?: boolean } = {}): void {
  const flags = UMOUNT_NOFOLLOW | (options.detach ? MNT_DETACH : 0);
  if (libc().umount2(target, flags) === 0) return;
  const errno = lastErrno();
  const fault = errnoFault(errno, `unmount ${target}`);
  throw errnoOf(fault) === 'EINVAL' ? errnoFault(errno, `unmount ${target}`, 'it is not a mount') : fault;
}

async function unmountAside(target: string, options: { detach?: boolean } = {}): Promise<void> {
  const flags = UMOUNT_NOFOLLOW | (options.detach ? MNT_DETACH : 0);
  // one that fails is asked again here, for its reason
  if ((await libc().umount2Aside(target, flags)) !== 0) unmount(target, options);
}

function list(): MountEntry[] {
  return table().map(({ own: _own, ...entry }) => entry);
}

function table(): TableEntry[] {
  return faulting('read the mount table', () => parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8')));
}

function unmountTree(directory: string): number {
  const root = tablePath(directory);
  let left = unmountOrder(list(), root);
  const count = left.length;
  while (left.length > 0) {
    for (const entry of left) {
      try {
        unmount(entry.target, { detach: true });
      } catch (error) {
        // Gone with the mount that it was on, or hidden below another: the next pass tells.
        if (!['EINVAL', 'ENOENT'].includes(errnoOf(error) ?? '')) throw error;
      }
    }
    const before = left.length;
    left = unmountOrder(list(), root);
    if (left.length >= before) {
      throw new Fault('conflict', `unmount all below ${root}: ${left[0]?.target} cannot be reached; unmount it by hand`);
    }
  }
  return count;
}
