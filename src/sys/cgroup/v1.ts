import { Fault } from '#lib/errors.ts';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errno.ts';
import type { Driver } from './driver.ts';
import { limitOf, makeGroup, readBig, readControl, readNumber, readTable, writeControl } from './files.ts';
import type { Hierarchy, Layout } from './layout.ts';
import type { CgroupLimits, CgroupUsage } from './types.ts';

export function v1Driver(layout: Layout): Driver {
  const find = (controller: string): Hierarchy | undefined => layout.hierarchies.find((each) => each.controllers.includes(controller));
  const directory = (controller: string, name: string): string => {
    const hierarchy = find(controller);
    if (!hierarchy) throw new Fault('not-implemented', `the ${controller} controller is not mounted on this host, so it cannot be used for ${name}`);
    return join(hierarchy.path, name);
  };
  /** A place to read from: one that is not there reads as nothing. */
  const readable = (controller: string, name: string): string => join(find(controller)?.path ?? '/nonexistent', name);

  return {
    make,
    freeze: (name, frozen) => writeControl(directory('freezer', name), 'freezer.state', frozen ? 'FROZEN' : 'THAWED'),
    isFrozen: (name) => readControl(readable('freezer', name), 'freezer.state') === 'FROZEN',
    usage: (name) => usage(layout, readable, name),
    update: (name, limits) => update(directory, name, limits),
    killAll: () => false,
  };
}

/** A new cpuset group has no processors until it is given some, and takes no process till then. */
function make(hierarchy: Hierarchy, parts: readonly string[]): void {
  let path = hierarchy.path;
  for (const part of parts) {
    const parent = path;
    path = join(path, part);
    makeGroup(path);
    if (!hierarchy.controllers.includes('cpuset')) continue;
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      const above = readControl(parent, file);
      if (above && !readControl(path, file)) writeControl(path, file, above);
    }
  }
}

function usage(layout: Layout, readable: (controller: string, name: string) => string, name: string): CgroupUsage | undefined {
  if (!layout.hierarchies.some((each) => each.controllers.length > 0 && existsSync(join(each.path, name)))) return undefined;
  const memory = readable('memory', name);
  const cpuacct = readable('cpuacct', name);
  const pids = readable('pids', name);
  const memoryStats = readTable(memory, 'memory.stat');
  const throttling = readTable(readable('cpu', name), 'cpu.stat');
  return {
    cpuNanos: readBig(cpuacct, 'cpuacct.usage'),
    cpuUserNanos: readBig(cpuacct, 'cpuacct.usage_user'),
    cpuSystemNanos: readBig(cpuacct, 'cpuacct.usage_sys'),
    memoryBytes: readNumber(memory, 'memory.usage_in_bytes') ?? 0,
    memoryInactiveFile: memoryStats['total_inactive_file'] ?? 0,
    memoryLimit: readNumber(memory, 'memory.limit_in_bytes'),
    memoryStats,
    pids: readNumber(pids, 'pids.current') ?? 0,
    pidsLimit: limitOf(readControl(pids, 'pids.max')),
    blockIo: parseBlkio(readControl(readable('blkio', name), 'blkio.throttle.io_service_bytes_recursive') ?? ''),
    oomKills: readTable(memory, 'memory.oom_control')['oom_kill'] ?? 0,
    throttling: {
      periods: throttling['nr_periods'] ?? 0,
      throttledPeriods: throttling['nr_throttled'] ?? 0,
      throttledNanos: BigInt(throttling['throttled_time'] ?? 0),
    },
  };
}

/** Lines of `8:0 Read 4096`; the totals at the end have no device. */
export function parseBlkio(text: string): CgroupUsage['blockIo'] {
  return text.split('\n').flatMap((line) => {
    const match = /^(\d+):(\d+) (\w+) (\d+)$/.exec(line);
    if (!match) return [];
    return [{ major: Number(match[1]), minor: Number(match[2]), op: (match[3] ?? '').toLowerCase(), value: Number(match[4]) }];
  });
}

type Directory = (controller: string, name: string) => string;

function update(directory: Directory, name: string, limits: CgroupLimits): void {
  const set = (controller: string, file: string, value: number | string | undefined): void => {
    if (value !== undefined) writeControl(directory(controller, name), file, String(value));
  };
  updateMemory(directory, name, limits);
  set('memory', 'memory.soft_limit_in_bytes', limits.memoryReservation);
  set('cpu', 'cpu.shares', limits.cpuShares);
  updateQuota(directory, name, limits);
  set('cpuset', 'cpuset.cpus', limits.cpusetCpus);
  set('cpuset', 'cpuset.mems', limits.cpusetMems);
  set('pids', 'pids.max', limits.pids === -1 ? 'max' : limits.pids);
}

/** Memory may never be above memory and swap together, so growing begins with the latter and shrinking with the former. */
function updateMemory(directory: Directory, name: string, limits: CgroupLimits): void {
  const { memoryBytes, memorySwapBytes } = limits;
  if (memoryBytes === undefined && memorySwapBytes === undefined) return;
  const group = directory('memory', name);
  const setMemory = (): void => {
    if (memoryBytes !== undefined) writeControl(group, 'memory.limit_in_bytes', String(memoryBytes));
  };
  const setSwap = (): void => {
    if (memorySwapBytes !== undefined) writeControl(group, 'memory.memsw.limit_in_bytes', String(memorySwapBytes));
  };
  const now = readNumber(group, 'memory.limit_in_bytes') ?? Infinity;
  const grows = memoryBytes === -1 || (memoryBytes ?? 0) > now;
  for (const step of grows ? [setSwap, setMemory] : [setMemory, setSwap]) step();
}

/** The kernel judges each of the two by the other's present value: a period that is refused is tried again after the quota. */
function updateQuota(directory: Directory, name: string, limits: CgroupLimits): void {
  const { cpuPeriod, cpuQuota } = limits;
  const setPeriod = (): void => {
    if (cpuPeriod !== undefined) writeControl(directory('cpu', name), 'cpu.cfs_period_us', String(cpuPeriod));
  };
  let again = false;
  try {
    setPeriod();
  } catch (error) {
    if (cpuQuota === undefined || errnoOf(error) !== 'EINVAL') throw error;
    again = true;
  }
  if (cpuQuota !== undefined) writeControl(directory('cpu', name), 'cpu.cfs_quota_us', String(cpuQuota));
  if (again) setPeriod();
}
