/**
 * A typed client of Docker's API, for `gantry demo`, the commands and tests. What carries the requests is injected: a unix
 * socket (`unixTransport`), or anything of the same shape.
 *
 * A *request* has an answer whose body is a stream. An *upgrade* turns the connection into a raw two-way stream, for
 * attach and exec. Failures are `Fault`s of the kind that the status means, with the engine's message.
 */
import type { Duplex, Readable } from 'node:stream';

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
