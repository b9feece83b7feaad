/**
 * The Docker client: what the demo and Gantry's own commands use. Its transport is injected: HTTP on a unix socket, or
 * anything that answers like it. Failures are `Fault`s with the server's message and `details.status`.
 */
import type { Readable } from 'node:stream';
import type { JsonMessage } from '#api/docker/common.ts';
import type { ContainerSummary } from '#api/docker/containers.ts';
import type { ImageInspect } from '#api/docker/images.ts';

export interface DockerClient {
  ping(): Promise<void>;
  /** The image, or undefined where there is none. */
  inspectImage(name: string): Promise<ImageInspect | undefined>;
  /** Pulls; each progress line goes to `onMessage`. */
  pull(name: string, options?: StreamOptions): Promise<void>;
  /** Makes an image of one layer from a root file system's tar. */
  importImage(archive: Readable, name: string, options?: StreamOptions & { changes?: readonly string[] }): Promise<void>;
  /** Builds from a context's tar; returns the image's id. */
  build(context: Readable, options: StreamOptions & { tag: string; dockerfile?: string; buildArgs?: Readonly<Record<string, string>> }): Promise<string>;
  listContainers(options?: { all?: boolean; labels?: readonly string[] }): Promise<ContainerSummary[]>;
}

export interface StreamOptions {
  onMessage?: (message: JsonMessage) => void;
  signal?: AbortSignal;
}

/** Sends one request. The body of the answer is read by the caller. */
export type DockerTransport = (request: DockerRequest) => Promise<DockerResponse>;

export interface DockerRequest {
  method: string;
  /** With its query. */
  path: string;
  headers?: Readonly<Record<string, string>>;
  body?: Readable | string;
  signal?: AbortSignal;
}

export interface DockerResponse {
  status: number;
  body: Readable;
}
