/**
 * What calls of the Docker API ask for, once the door has read their queries and bodies; the door and the engine share
 * these. Names are as the client gave them, times are nanoseconds since the epoch.
 */
import type { AuthConfig, Filters, JsonMessage } from './common.ts';
import type { ContainerConfig } from './containers.ts';

export type Emit = (message: JsonMessage) => void;

export interface EventsOptions {
  filters: Filters;
  /** Nanoseconds since the epoch. */
  since?: bigint;
  until?: bigint;
}

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

export interface ListContainersOptions {
  all: boolean;
  /** 0: no limit. */
  limit: number;
  size: boolean;
  filters: Filters;
}

export interface StopOptions {
  /** Seconds; -1 waits for ever; absent: the container's own, else 10. */
  timeout?: number;
  signal?: string;
}

export interface AttachOptions {
  stream: boolean;
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  /** First what was printed before. */
  logs: boolean;
  /** '' or absent: the default, ctrl-p,ctrl-q. */
  detachKeys?: string;
}

export interface LogsOptions {
  stdout: boolean;
  stderr: boolean;
  follow: boolean;
  /** Nanoseconds since the epoch. */
  since?: bigint;
  until?: bigint;
  /** Newest lines; absent: all. */
  tail?: number;
}

export interface LogChunk {
  stream: 'stdout' | 'stderr';
  /** Nanoseconds since the epoch. */
  time: bigint;
  data: Uint8Array;
}

export interface CommitOptions {
  repo: string;
  tag: string;
  comment: string;
  author: string;
  /** Dockerfile instructions. */
  changes: readonly string[];
  pause: boolean;
  /** Laid over the container's own config. */
  config?: ContainerConfig;
}

export interface WriteArchiveOptions {
  path: string;
  /** A directory must not take the place of a file, nor a file that of a directory. */
  noOverwriteDirNonDir: boolean;
  copyUidGid: boolean;
}

/** A *platform* is `os/arch[/variant]` or an OCI platform in JSON; '' is any. */
export interface LoadOptions {
  quiet: boolean;
  platforms: readonly string[];
}

export interface PullOptions {
  name: string;
  tag: string;
  /** `os/arch[/variant]`; '' is the host's. */
  platform: string;
  auth?: AuthConfig;
}

export interface PushOptions {
  name: string;
  /** '': all tags. */
  tag: string;
  platform: string;
  auth?: AuthConfig;
}

export interface ImportOptions {
  /** `-` is the body; a URL is refused by the engine. */
  source: string;
  repo: string;
  tag: string;
  message: string;
  changes: readonly string[];
  platform: string;
}
