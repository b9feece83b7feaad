import { assert, must } from '#lib/assert.ts';
import { isFault } from '#lib/errors.ts';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errno.ts';
import type { Driver } from './driver.ts';
import { limitOf, makeGroup, readControl, readNumber, readPids, readTable, writeControl } from './files.ts';
import type { Hierarchy, Layout } from './layout.ts';
import type { CgroupLimits, CgroupUsage } from './types.ts';

/** What a group that holds containers hands down. */
const delegated = ['cpuset', 'cpu', 'io', 'memory', 'pids', 'hugetlb'];
const defaultPeriod = 100_000;

export function v2Driver(layout: Layout): Driver {
  const top = must(layout.hierarchies.find((each) => each.unified), 'the unified hierarchy').path;
  return {
    make,
    freeze: (name, frozen) => writeControl(join(top, name), 'cgroup.freeze', frozen ? '1' : '0'),
    isFrozen: (name) => readTable(join(top, name), 'cgroup.events')['frozen'] === 1,
    usage: (name) => usage(join(top, name)),
    update: (name, limits) => update(join(top, name), limits),
    killAll(name) {
      if (!existsSync(join(top, name, 'cgroup.kill'))) return false; // before Linux 5.14
      writeControl(join(top, name), 'cgroup.kill', '1');
      return true;
    },
  };
}

/** A group has the controllers that its parent's subtree_control hands down. */
function make(hierarchy: Hierarchy, parts: readonly string[]): void {
  assert(hierarchy.unified, 'v2 has one hierarchy');
  let path = hierarchy.path;
  for (const [depth, part] of parts.entries()) {
    delegate(path, depth === 0);
    path = join(path, part);
    makeGroup(path);
  }
}

function delegate(group: string, atTop: boolean): void {
  const have = (readControl(group, 'cgroup.controllers') ?? '').split(' ');
  const handed = (readControl(group, 'cgroup.subtree_control') ?? '').split(' ');
  for (const controller of delegated) {
    if (!have.includes(controller) || handed.includes(controller)) continue;
    try {
      writeControl(group, 'cgroup.subtree_control', `+${controller}`);
    } catch (error) {
      // Inside a container the top is no real root: it cannot hold processes and hand controllers down as well.
      if (errnoOf(error) === 'EBUSY' && atTop && moveToInit(group)) writeControl(group, 'cgroup.subtree_control', `+${controller}`);
      // One controller that cannot be had is told to who sets its limit.
      else if (!isFault(error)) throw error;
    }
  }
}

/** Moves the processes of the top group to one of their own; false where there are none. */
function moveToInit(top: string): boolean {
  const pids = readPids(top);
  const init = join(top, 'init');
  makeGroup(init);
  for (const pid of pids) {
    try {
      writeControl(init, 'cgroup.procs', String(pid));
    } catch (error) {
      if (!isFault(error, 'not-found')) throw error;
    }
  }
  return pids.length > 0;
}

function usage(group: string): CgroupUsage | undefined {
  if (!existsSync(group)) return undefined;
  const cpu = readTable(group, 'cpu.stat');
  const nanos = (name: string): bigint => BigInt(cpu[name] ?? 0) * 1000n;
  const memoryStats = readTable(group, 'memory.stat');
  return {
    cpuNanos: nanos('usage_usec'),
    cpuUserNanos: nanos('user_usec'),
    cpuSystemNanos: nanos('system_usec'),
    memoryBytes: readNumber(group, 'memory.current') ?? 0,
    memoryInactiveFile: memoryStats['inactive_file'] ?? 0,
    memoryLimit: limitOf(readControl(group, 'memory.max')),
    memoryStats,
    pids: readNumber(group, 'pids.current') ?? 0,
    pidsLimit: limitOf(readControl(group, 'pids.max')),
    blockIo: parseIoStat(readControl(group, 'io.stat') ?? ''),
    oomKills: readTable(group, 'memory.events')['oom_kill'] ?? 0,
    throttling: { periods: cpu['nr_periods'] ?? 0, throttledPeriods: cpu['nr_throttled'] ?? 0, throttledNanos: nanos('throttled_usec') },
  };
}

/** Lines of `8:0 rbytes=4096 wbytes=0 rios=1 …`, as bytes read and written. */
export function parseIoStat(text: string): CgroupUsage['blockIo'] {
  const ops: Readonly<Record<string, string>> = { rbytes: 'read', wbytes: 'write', dbytes: 'discard' };
  return text.split('\n').flatMap((line) => {
    const [device = '', ...fields] = line.split(' ');
    const [major, minor] = device.split(':').map(Number);
    if (major === undefined || minor === undefined) return [];
    return fields.flatMap((field) => {
      const [key = '', value] = field.split('=');
      const op = ops[key];
      return op === undefined ? [] : [{ major, minor, op, value: Number(value) }];
    });
  });
}

function update(group: string, limits: CgroupLimits): void {
  const set = (file: string, value: number | string | undefined): void => {
    if (value !== undefined) writeControl(group, file, value === -1 ? 'max' : String(value));
  };
  set('memory.max', limits.memoryBytes);
  set('memory.swap.max', swapLimit(group, limits));
  set('memory.low', limits.memoryReservation === -1 ? 0 : limits.memoryReservation);
  set('cpu.weight', limits.cpuShares === undefined ? undefined : weightOf(limits.cpuShares));
  if (limits.cpuQuota !== undefined || limits.cpuPeriod !== undefined) {
    const [quota = 'max', period = String(defaultPeriod)] = (readControl(group, 'cpu.max') ?? '').split(' ');
    const wanted = limits.cpuQuota === undefined ? quota || 'max' : limits.cpuQuota > 0 ? String(limits.cpuQuota) : 'max';
    set('cpu.max', `${wanted} ${limits.cpuPeriod ?? period}`);
  }
  set('cpuset.cpus', limits.cpusetCpus);
  set('cpuset.mems', limits.cpusetMems);
  set('pids.max', limits.pids);
}

/** v2 counts swap apart; the limit given is for memory and swap together. */
function swapLimit(group: string, limits: CgroupLimits): number | undefined {
  const both = limits.memorySwapBytes;
  if (both === undefined || both === -1) return both;
  const memory = limits.memoryBytes ?? limitOf(readControl(group, 'memory.max')) ?? -1;
  return memory === -1 ? -1 : Math.max(0, both - memory);
}

/** v1's shares, 2 to 262144, on v2's scale of 1 to 10000. */
export function weightOf(shares: number): number {
  const within = Math.min(262_144, Math.max(2, shares));
  return 1 + Math.floor(((within - 2) * 9999) / 262_142);
}
