/**
 * A typed client of Docker's API, for `gantry demo`, the commands and tests. What carries the requests is injected: a unix
 * socket (`unixTransport`), or anything of the same shape.
 *
 * A *request* has an answer whose body is a stream. An *upgrade* turns the connection into a raw two-way stream, for
 * attach and exec. Failures are `Fault`s of the kind that the status means, with the engine's message.
 */
import type { Duplex, Readable } from 'node:stream';
import type { JsonMessage } from '#api/docker/common.ts';
import type * as containers from '#api/docker/containers.ts';
import type { EventMessage } from '#api/docker/events.ts';
import type * as images from '#api/docker/images.ts';
import type * as networks from '#api/docker/networks.ts';
import type * as system from '#api/docker/system.ts';
import type * as volumes from '#api/docker/volumes.ts';

/** Methods are named as what they do; those whose answer is a progress stream resolve at its end, and throw its failure. */
export interface DockerClient {
  ping(): Promise<{ apiVersion: string }>;
  version(): Promise<system.VersionResponse>;
  info(): Promise<system.InfoResponse>;
  events(query?: { since?: string; until?: string; filters?: object }, signal?: AbortSignal): AsyncGenerator<EventMessage>;
  /** Builds an image with the classic builder from a context's tar; resolves with its id. */
  build(context: Readable | Uint8Array, options: BuildRequest): Promise<string>;
  listImages(query?: { all?: boolean; filters?: object }): Promise<images.ImageSummary[]>;
  /** The image, or undefined where there is none. */
  inspectImage(name: string): Promise<images.ImageInspect | undefined>;
  pull(name: string, options?: StreamOptions): Promise<void>;
  /** Makes an image of one layer from a root file system's tar; resolves with its id. */
  importImage(archive: Readable | Uint8Array, name: string, options?: StreamOptions & { changes?: readonly string[] }): Promise<string>;
  load(archive: Readable | Uint8Array, options?: StreamOptions): Promise<void>;
  tag(name: string, repo: string, tag: string): Promise<void>;
  removeImage(name: string, query?: { force?: boolean }): Promise<images.ImageDeleteItem[]>;
  listContainers(options?: { all?: boolean; labels?: readonly string[] }): Promise<containers.ContainerSummary[]>;
  createContainer(request: containers.CreateRequest, name?: string): Promise<containers.CreateResponse>;
  inspectContainer(id: string): Promise<containers.ContainerInspect>;
  start(id: string): Promise<void>;
  stop(id: string, seconds?: number): Promise<void>;
  kill(id: string, signal?: string): Promise<void>;
  removeContainer(id: string, query?: { force?: boolean; v?: boolean }): Promise<void>;
  /** Resolves with the exit code. */
  wait(id: string, condition?: 'not-running' | 'next-exit' | 'removed'): Promise<number>;
  logs(id: string, options?: LogRequest): AsyncGenerator<Output>;
  /** A raw two-way stream to the container's main process. */
  attach(id: string, query: { stdin?: boolean; stdout?: boolean; stderr?: boolean; logs?: boolean }): Promise<Duplex>;
  /** Runs a command in a running container to its end. */
  exec(id: string, command: readonly string[], options?: { user?: string; env?: readonly string[] }): Promise<ExecResult>;
  listNetworks(query?: { filters?: object }): Promise<networks.NetworkInspect[]>;
  createNetwork(request: networks.NetworkCreateRequest): Promise<networks.NetworkCreateResponse>;
  removeNetwork(name: string): Promise<void>;
  listVolumes(query?: { filters?: object }): Promise<volumes.VolumeListResponse>;
  createVolume(request: volumes.VolumeCreateRequest): Promise<volumes.VolumeInspect>;
  removeVolume(name: string, query?: { force?: boolean }): Promise<void>;
  /** Closes idle connections. */
  close(): void;
}

export interface StreamOptions {
  onMessage?: (message: JsonMessage) => void;
  signal?: AbortSignal;
}

export interface BuildRequest extends StreamOptions {
  tag: string;
  dockerfile?: string;
  buildArgs?: Readonly<Record<string, string>>;
  target?: string;
  noCache?: boolean;
  pull?: boolean;
  networkMode?: string;
}

export interface LogRequest {
  follow?: boolean;
  tail?: number;
  /** Whether the container has a terminal: its output is then not in frames. */
  tty?: boolean;
  signal?: AbortSignal;
}

export interface ExecResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export interface DockerTransport {
  request(request: DockerRequest): Promise<DockerAnswer>;
  /** For `POST` with `Upgrade: tcp`; fails with the engine's error where it does not upgrade. */
  upgrade(request: DockerRequest): Promise<Duplex>;
  close(): void;
}

export interface DockerRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  /** Without version and query. */
  path: string;
  query?: Readonly<Record<string, QueryValue>>;
  headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON. */
  body?: Readable | Uint8Array | object;
  signal?: AbortSignal;
}

/** undefined leaves the parameter out; a list repeats it; an object is sent as JSON. */
export type QueryValue = string | number | boolean | undefined | readonly string[] | object;

export interface DockerAnswer {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: Readable;
}

/** Output of a process, as it comes. */
export interface Output {
  stream: 'stdout' | 'stderr';
  data: Buffer;
}
