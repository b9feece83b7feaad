/**
 * What the door needs of the rooms behind it. The engine and the builder provide these by structure: they do not
 * import this file. A method fails with a `Fault`, whose kind the door turns into Docker's status (`errors.ts`)
 * and whose message it shows as it is. Times are milliseconds and sizes bytes unless a name says otherwise.
 *
 * Streams: `emit` hands over one line of a progress stream. A failure before the first line is an HTTP error, one
 * after it is an `errorDetail` line, so a backend that can tell early that it will fail should emit nothing first.
 * `signal` is aborted when the client goes away.
 */
import type { Readable } from 'node:stream';
import type { BuildCacheRecord, BuildOptions, BuildPruneOptions, BuildPruneResponse } from '#api/docker/build.ts';
import type { AttachOptions, CommitOptions, Emit, EventsOptions, ImportOptions, ListContainersOptions, LoadOptions, LogChunk, LogsOptions, PullOptions, PushOptions, StopOptions, WaitCondition, WriteArchiveOptions } from '#api/docker/calls.ts';
import type { AuthConfig, Filters } from '#api/docker/common.ts';
import type * as containers from '#api/docker/containers.ts';
import type { EventMessage } from '#api/docker/events.ts';
import type * as images from '#api/docker/images.ts';
import type * as networks from '#api/docker/networks.ts';
import type { StatsResponse } from '#api/docker/stats.ts';
import type * as system from '#api/docker/system.ts';
import type * as volumes from '#api/docker/volumes.ts';

export interface Backends {
  system: SystemBackend;
  containers: ContainerBackend;
  archives: ArchiveBackend;
  execs: ExecBackend;
  images: ImageBackend;
  networks: NetworkBackend;
  volumes: VolumeBackend;
  /** Absent: POST /build answers 501. */
  build?: BuildBackend;
}

export interface SystemBackend {
  version(): Promise<system.VersionResponse>;
  info(): Promise<system.InfoResponse>;
  diskUsage(types: readonly string[]): Promise<system.DiskUsageResponse>;
  auth(auth: AuthConfig): Promise<system.AuthResponse>;
  /** The past ones asked for, then live ones until `until` or the signal; registered when it returns. */
  events(options: EventsOptions, signal: AbortSignal): AsyncIterable<EventMessage>;
}

export interface ContainerBackend {
  list(options: ListContainersOptions): Promise<containers.ContainerSummary[]>;
  create(request: containers.CreateRequest, options: { name?: string; platform?: string }): Promise<containers.CreateResponse>;
  inspect(reference: string, options?: { size?: boolean }): Promise<containers.ContainerInspect>;
  start(reference: string): Promise<void>;
  stop(reference: string, options: StopOptions): Promise<void>;
  restart(reference: string, options: StopOptions): Promise<void>;
  /** `signal` as given: a name with or without SIG, or a number. */
  kill(reference: string, signal?: string): Promise<void>;
  pause(reference: string): Promise<void>;
  unpause(reference: string): Promise<void>;
  rename(reference: string, name: string): Promise<void>;
  update(reference: string, request: containers.UpdateRequest): Promise<{ Warnings: string[] | null }>;
  remove(reference: string, options: { force: boolean; volumes: boolean }): Promise<void>;
  /** Resolves once it is registered, so that a `start` that follows cannot outrun it. */
  wait(reference: string, condition: WaitCondition, signal: AbortSignal): Promise<{ result: Promise<containers.WaitResponse> }>;
  /** `tty`: whether the streams are raw. Connected when it resolves. */
  attach(reference: string, options: AttachOptions): Promise<{ tty: boolean; streams: AttachStreams }>;
  resize(reference: string, size: { rows: number; columns: number }): Promise<void>;
  logs(reference: string, options: LogsOptions, signal: AbortSignal): Promise<{ tty: boolean; entries: AsyncIterable<LogChunk> }>;
  /** One sample a second; with `stream` false, one, of which `precpu_stats` is filled unless `oneShot`. */
  stats(reference: string, options: { stream: boolean; oneShot: boolean }, signal: AbortSignal): Promise<AsyncIterable<StatsResponse>>;
  top(reference: string, psArgs: string): Promise<containers.TopResponse>;
  changes(reference: string): Promise<containers.FilesystemChange[] | null>;
  commit(reference: string, options: CommitOptions): Promise<images.CommitResponse>;
  prune(filters: Filters): Promise<containers.ContainersPruneResponse>;
}

/** A process's streams, as a client is connected to them. The same shape as `Streams` of core/containers. */
export interface AttachStreams {
  onOutput(handler: (stream: 'stdout' | 'stderr', data: Uint8Array) => void): void;
  /** Called once, after the last output; at once if it ended already. `cause`: the client was cut off. */
  onEnd(handler: (cause?: Error) => void): void;
  write(data: Uint8Array): Promise<void>;
  endInput(): void;
  /** Back-pressure on output. */
  pause(): void;
  resume(): void;
  close(): void;
}

export interface ArchiveBackend {
  stat(reference: string, path: string): Promise<containers.PathStat>;
  /** A tar of what is at `path`. */
  read(reference: string, path: string): Promise<{ stat: containers.PathStat; body: Readable }>;
  /** Unpacks a tar (plain or gzip) in the directory `path`. */
  write(reference: string, options: WriteArchiveOptions, body: Readable): Promise<void>;
  /** A tar of the whole root file system without volumes. */
  export(reference: string): Promise<Readable>;
}

export interface ExecBackend {
  create(reference: string, request: containers.ExecCreateRequest): Promise<{ Id: string }>;
  /** Without `detach`, streams; a command that cannot start prints why and ends with 126 or 127. */
  start(id: string, request: containers.ExecStartRequest): Promise<{ tty: boolean; streams: AttachStreams } | undefined>;
  inspect(id: string): Promise<containers.ExecInspect>;
  resize(id: string, size: { rows: number; columns: number }): Promise<void>;
}

export interface ImageBackend {
  list(options: { all: boolean; filters: Filters; sharedSize: boolean }): Promise<images.ImageSummary[]>;
  /** `platform`: `not-found` where the image is of another one. */
  inspect(name: string, options?: { platform?: string }): Promise<images.ImageInspect>;
  history(name: string, options?: { platform?: string }): Promise<images.HistoryItem[]>;
  /** `tag` may be a digest; '' with a bare name pulls `latest`. */
  pull(options: PullOptions, emit: Emit, signal: AbortSignal): Promise<void>;
  push(options: PushOptions, emit: Emit, signal: AbortSignal): Promise<void>;
  tag(name: string, repo: string, tag: string): Promise<void>;
  remove(name: string, options: { force: boolean; prune: boolean; platforms?: readonly string[] }): Promise<images.ImageDeleteItem[]>;
  save(names: readonly string[], platforms: readonly string[]): Promise<Readable>;
  load(body: Readable, options: LoadOptions, emit: Emit, signal: AbortSignal): Promise<void>;
  import(options: ImportOptions, body: Readable, emit: Emit, signal: AbortSignal): Promise<void>;
  prune(filters: Filters): Promise<images.ImagesPruneResponse>;
  distribution(name: string, auth: AuthConfig | undefined): Promise<images.DistributionInspect>;
}

export interface NetworkBackend {
  list(filters: Filters): Promise<networks.NetworkInspect[]>;
  inspect(reference: string, options?: { scope?: string; verbose?: boolean }): Promise<networks.NetworkInspect>;
  create(request: networks.NetworkCreateRequest): Promise<networks.NetworkCreateResponse>;
  remove(reference: string): Promise<void>;
  connect(reference: string, request: networks.NetworkConnectRequest): Promise<void>;
  disconnect(reference: string, request: networks.NetworkDisconnectRequest): Promise<void>;
  prune(filters: Filters): Promise<networks.NetworksPruneResponse>;
}

export interface VolumeBackend {
  list(filters: Filters): Promise<volumes.VolumeListResponse>;
  inspect(name: string): Promise<volumes.VolumeInspect>;
  create(request: volumes.VolumeCreateRequest): Promise<volumes.VolumeInspect>;
  remove(name: string, options: { force: boolean }): Promise<void>;
  /** `all` false: anonymous ones only. */
  prune(filters: Filters, options: { all: boolean }): Promise<volumes.VolumesPruneResponse>;
}

export interface BuildBackend {
  /** `context`: the client's tar (perhaps compressed); undefined where `options.remote` is given. */
  build(options: BuildOptions, context: Readable | undefined, emit: Emit, signal: AbortSignal): Promise<void>;
  prune(options: BuildPruneOptions, filters: Filters): Promise<BuildPruneResponse>;
  cancel(id: string): Promise<void>;
  records(): Promise<BuildCacheRecord[]>;
}
