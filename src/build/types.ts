/**
 * The builder: a Dockerfile and its context in, an image out.
 *
 * A *build* receives the *context* (the client's tar) into a directory of its own, reads the Dockerfile, finds
 * the *stages* that the target needs, and takes each stage's *steps* in order. A step that writes to the file
 * system makes a *layer*: an active snapshot on the layers before is changed and committed. Each step has a *cache key*
 * made from the key before it and all that its result depends on (command, arguments, environment by way of
 * the steps before, content of copied files); a key seen before gives its layer again.
 * A build that fails, is cut off by its client or by a crash leaves no image, no container and no active snapshot; layers already made stay as cache.
 */
import type { Emit } from '#api/docker/calls.ts';
import type { BuildCacheRecord, BuildOptions, BuildPruneOptions, BuildPruneResponse } from '#api/docker/build.ts';
import type { Filters } from '#api/docker/common.ts';
import type { Descriptor, Digest } from '#core/content/types.ts';
import type { Containers } from '#core/containers/types.ts';
import type { Images } from '#core/images/types.ts';
import type { Networks } from '#core/networks/types.ts';
import type { Sandboxes } from '#core/sandboxes/types.ts';
import type { ChainId, Snapshots } from '#core/snapshots/types.ts';
import type { HostFiles } from '#core/snapshots/unpack/extract.ts';
import type { OpenRecords } from '#core/store/records.types.ts';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import type { Random } from '#lib/random.ts';
import type { Readable } from 'node:stream';

export interface Builder {
  build(options: BuildOptions, context: Readable | undefined, emit: Emit, signal: AbortSignal): Promise<void>;
  prune(options: BuildPruneOptions, filters: Filters): Promise<BuildPruneResponse>;
  cancel(id: string): Promise<void>;
  records(): Promise<BuildCacheRecord[]>;
}

export interface BuilderOptions {
  /**
   * Below it: `contexts` and `runs` (files of RUN containers) of running builds, `steps` (marks of the steps under way, by
   * which a start finds what a crash left), `cache-mounts`.
   */
  root: string;
  images: Images;
  snapshots: Snapshots;
  containers: Containers;
  sandboxes: Sandboxes;
  networks: Networks;
  files: HostFiles;
  records: OpenRecords;
  clock: Clock;
  random: Random;
  log: Logger;
  /** DNS servers for RUN containers. */
  nameservers: () => readonly string[];
  /** Told of the image that a build made (the engine's `events`). */
  onImage?: (id: Digest, names: readonly string[]) => void;
}

export const buildLimits = {
  /** Bytes of a context on disk. */
  contextBytes: 32 * 2 ** 30,
  contextEntries: 2_000_000,
  /** Bytes that one ADD fetches. */
  downloadBytes: 4 * 2 ** 30,
  /** Steps of one Dockerfile, ONBUILD triggers included. */
  steps: 2_000,
  /** Characters of a quiet build's output that are kept, to be shown if it fails. */
  heldCharacters: 1 << 20,
  /** Builds at a time; others wait. */
  builds: 4,
} as const;

/** What one step made: found again under its key. */
export interface CacheEntry {
  /** The cache key, 64 hex digits. */
  id: string;
  description: string;
  createdAt: number;
  usedAt: number;
  uses: number;
  layer?: CachedLayer;
}

export interface CachedLayer {
  parent: ChainId;
  chain: ChainId;
  diffId: Digest;
  descriptor: Descriptor;
}
