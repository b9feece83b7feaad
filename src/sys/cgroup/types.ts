/**
 * Control groups under both layouts. A group's name is a path relative to the root of each hierarchy
 * (`gantry-1a2b/docker/<id>`); on v1 it is made in every controller, on v2 once.
 */
export interface Cgroups {
  /** 1 for v1 and hybrid (controllers on v1), 2 for unified. */
  version(): 1 | 2;
  /** Controllers that are mounted or enabled at the root. */
  controllers(): string[];
  /** Mounts v1 controllers that the kernel has and nobody mounted (crun 1.8 refuses a hybrid host otherwise). Returns their names. */
  mountMissing(): string[];
  create(name: string): void;
  /** Moves a process; creates the group where missing. */
  addProcess(name: string, pid: number): void;
  processes(name: string): number[];
  exists(name: string): boolean;
  /** Kills what is left in it and its children, and removes them all; absent is fine. Resolves when they are gone. */
  remove(name: string): Promise<void>;
  freeze(name: string, frozen: boolean): Promise<void>;
  usage(name: string): CgroupUsage | undefined;
  update(name: string, limits: CgroupLimits): void;
  /** The group of a process, as a name. */
  of(pid: number): string;
}

export interface CgroupUsage {
  cpuNanos: bigint;
  cpuUserNanos: bigint;
  cpuSystemNanos: bigint;
  memoryBytes: number;
  /** Page cache that can be dropped (`inactive_file`). */
  memoryInactiveFile: number;
  memoryLimit: number | undefined;
  memoryStats: Record<string, number>;
  pids: number;
  pidsLimit: number | undefined;
  blockIo: { major: number; minor: number; op: string; value: number }[];
  oomKills: number;
  throttling: { periods: number; throttledPeriods: number; throttledNanos: bigint };
}

/** Absent fields are left as they are; -1 is no limit. */
export interface CgroupLimits {
  memoryBytes?: number;
  memorySwapBytes?: number;
  memoryReservation?: number;
  cpuQuota?: number;
  cpuPeriod?: number;
  cpuShares?: number;
  cpusetCpus?: string;
  cpusetMems?: string;
  pids?: number;
}
