/** Where the control group hierarchies are, read from the mount table. */
import type { MountEntry } from '../mount/types.ts';

export interface Hierarchy {
  /** Its controllers; none for v1's named ones and for the unified side of a hybrid host. */
  controllers: string[];
  /** Where it is mounted. */
  path: string;
  /** The group that the mount shows at its top, `/` unless only a part of the hierarchy is visible. */
  root: string;
  unified: boolean;
}

export interface Layout {
  version: 1 | 2;
  hierarchies: Hierarchy[];
}

const v1Controllers = new Set(['cpuset', 'cpu', 'cpuacct', 'blkio', 'memory', 'devices', 'freezer', 'net_cls', 'perf_event', 'net_prio', 'hugetlb', 'pids', 'rdma', 'misc']);

/** Unified where only cgroup2 has controllers; else v1, of which hybrid is a kind. The first mount of each hierarchy counts. */
export function layoutOf(mounts: readonly MountEntry[], unifiedControllers: (path: string) => string[]): Layout {
  const hierarchies: Hierarchy[] = [];
  const seen = new Set<string>();
  for (const mount of mounts) {
    if (mount.type !== 'cgroup' && mount.type !== 'cgroup2') continue;
    const unified = mount.type === 'cgroup2';
    const words = mount.options.filter((word) => v1Controllers.has(word) || word.startsWith('name='));
    const key = unified ? 'cgroup2' : words.toSorted().join(',');
    if (seen.has(key) || !hasGroups(mount)) continue;
    seen.add(key);
    const controllers = unified ? unifiedControllers(mount.target) : words.filter((word) => v1Controllers.has(word));
    hierarchies.push({ controllers, path: mount.target, root: mount.root, unified });
  }
  const v1 = hierarchies.some((each) => !each.unified && each.controllers.length > 0);
  return { version: v1 || !hierarchies.some((each) => each.unified) ? 1 : 2, hierarchies };
}

/** A container's own bind mounts of one group lie outside /sys/fs/cgroup and are not the host's. */
function hasGroups(mount: MountEntry): boolean {
  return mount.target === '/sys/fs/cgroup' || mount.target.startsWith('/sys/fs/cgroup/') || mount.root === '/';
}

export interface KernelController {
  name: string;
  hierarchy: number;
  enabled: boolean;
}

/** /proc/cgroups. */
export function parseControllers(text: string): KernelController[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(/\s+/))
    .map(([name = '', hierarchy, , enabled]) => ({ name, hierarchy: Number(hierarchy), enabled: enabled === '1' }));
}

/** /proc/PID/cgroup: the group in each hierarchy; `''` is the unified one. */
export function parseMembership(text: string): Map<string, string> {
  const groups = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^\d+:([^:]*):(.*)$/.exec(line);
    if (!match) continue;
    for (const controller of (match[1] ?? '').split(',')) groups.set(controller, match[2] ?? '/');
  }
  return groups;
}
