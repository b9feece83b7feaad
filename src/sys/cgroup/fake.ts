import { Fault } from '#lib/errors.ts';
import { nameParts } from './files.ts';
import type { CgroupLimits, Cgroups, CgroupUsage } from './types.ts';

export interface FakeCgroups extends Cgroups {
  calls: string[];
  groups: Map<string, { pids: Set<number>; frozen: boolean; limits: CgroupLimits; usage: Partial<CgroupUsage> }>;
}

export interface FakeCgroupsOptions {
  version?: 1 | 2;
  /** Ends a process that is left in a group that is removed. */
  kill?: (pid: number) => void;
  alive?: (pid: number) => boolean;
}

/** Groups in memory. A process that nobody moved is in the group `''`. */
export function fakeCgroups(options: FakeCgroupsOptions = {}): FakeCgroups {
  const { version = 2, kill = () => {}, alive = () => true } = options;
  const groups: FakeCgroups['groups'] = new Map();
  const calls: string[] = [];
  const need = (name: string): NonNullable<ReturnType<FakeCgroups['groups']['get']>> => {
    const group = groups.get(clean(name));
    if (!group) throw new Fault('not-found', `there is no control group ${name}`);
    return group;
  };
  const create = (name: string): void => {
    const parts = nameParts(name);
    parts.forEach((_, i) => {
      const path = parts.slice(0, i + 1).join('/');
      if (!groups.has(path)) groups.set(path, { pids: new Set(), frozen: false, limits: {}, usage: {} });
    });
  };
  const living = (pids: Iterable<number>): number[] => [...pids].filter(alive).sort((a, b) => a - b);

  return {
    calls,
    groups,
    version: () => version,
    controllers: () => ['cpuset', 'cpu', 'memory', 'pids', version === 2 ? 'io' : 'blkio'],
    mountMissing: () => [],
    create(name) {
      calls.push(`create ${name}`);
      create(name);
    },
    addProcess(name, pid) {
      calls.push(`add ${pid} to ${name}`);
      create(name);
      if (!alive(pid)) throw new Fault('not-found', `add process ${pid} to ${name}: no such process (ESRCH)`, { details: { errno: 'ESRCH' } });
      for (const group of groups.values()) group.pids.delete(pid);
      need(name).pids.add(pid);
    },
    processes: (name) => living(groups.get(clean(name))?.pids ?? []),
    exists: (name) => groups.has(clean(name)),
    async remove(name) {
      calls.push(`remove ${name}`);
      const path = clean(name);
      for (const [each, group] of groups) {
        if (each !== path && !each.startsWith(`${path}/`)) continue;
        for (const pid of living(group.pids)) kill(pid);
        groups.delete(each);
      }
    },
    async freeze(name, frozen) {
      calls.push(`${frozen ? 'freeze' : 'thaw'} ${name}`);
      need(name).frozen = frozen;
    },
    usage(name) {
      const group = groups.get(clean(name));
      return group && usageOf(group.limits, living(group.pids).length, group.usage);
    },
    update(name, limits) {
      calls.push(`update ${name} ${JSON.stringify(limits)}`);
      Object.assign(need(name).limits, limits);
    },
    of: (pid) => [...groups].find(([, group]) => group.pids.has(pid))?.[0] ?? '',
  };
}

function clean(name: string): string {
  return nameParts(name).join('/');
}

function usageOf(limits: CgroupLimits, pids: number, given: Partial<CgroupUsage>): CgroupUsage {
  const limit = (value: number | undefined): number | undefined => (value === -1 ? undefined : value);
  return {
    cpuNanos: 0n,
    cpuUserNanos: 0n,
    cpuSystemNanos: 0n,
    memoryBytes: 0,
    memoryInactiveFile: 0,
    memoryLimit: limit(limits.memoryBytes),
    memoryStats: {},
    pids,
    pidsLimit: limit(limits.pids),
    blockIo: [],
    oomKills: 0,
    throttling: { periods: 0, throttledPeriods: 0, throttledNanos: 0n },
    ...given,
  };
}
