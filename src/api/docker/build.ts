/** POST /build: the query, decoded (docker.md §2.6). */
import type { AuthConfig } from './common.ts';
import type { Ulimit } from './host-config.ts';

export interface BuildOptions {
  /** `version=1` is the classic builder, `2` BuildKit. */
  version: '1' | '2';
  /** Path below the context's root; `Dockerfile` where the client named none. */
  dockerfile: string;
  /** `t`, as given (`app`, `app:1`, `host/app`). */
  tags: readonly string[];
  /** null: named without a value. */
  buildArgs: Readonly<Record<string, string | null>>;
  labels: Readonly<Record<string, string>>;
  cacheFrom: readonly string[];
  /** Stage to stop at; '' is the last. */
  target: string;
  noCache: boolean;
  /** Ask the registry for a newer base even where one is here. */
  pull: boolean;
  /** The only output is the id. */
  quiet: boolean;
  squash: boolean;
  /** '' or `default`: the default bridge. */
  networkMode: string;
  /** `os/arch[/variant]`; '' is the host's. */
  platform: string;
  /** `name:ip` */
  extraHosts: readonly string[];
  /** Git or http(s) URL in place of a body; '' for none. */
  remote: string;
  resources: BuildResources;
  /** Registry host -> credentials (`X-Registry-Config`). */
  registryAuth: Readonly<Record<string, AuthConfig>>;
  /** By which POST /build/cancel finds it; '' is nobody's. */
  buildId: string;
}

/** Limits for the containers of RUN; 0 and '' are none. */
export interface BuildResources {
  memory: number;
  memorySwap: number;
  cpuShares: number;
  cpuPeriod: number;
  cpuQuota: number;
  cpusetCpus: string;
  cpusetMems: string;
  cgroupParent: string;
  shmSize: number;
  ulimits: readonly Ulimit[];
}

export interface BuildPruneResponse {
  CachesDeleted: string[] | null;
  SpaceReclaimed: number;
}

export interface BuildPruneOptions {
  all: boolean;
  /** Bytes to keep. */
  keepStorage: number;
}

/** One record of GET /system/df. */
export interface BuildCacheRecord {
  ID: string;
  Type: string;
  Description: string;
  InUse: boolean;
  Shared: boolean;
  Size: number;
  CreatedAt: string;
  LastUsedAt: string | null;
  UsageCount: number;
}
