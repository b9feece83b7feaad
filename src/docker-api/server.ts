/** The door: Docker's HTTP API on a unix socket. */
import { lstatSync, unlinkSync } from 'node:fs';
import type { IncomingMessage, Server } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { newestApi, showApi } from '#api/docker/versions.ts';
import type { Clock } from '#lib/clock.ts';
import { Connections } from '#lib/connections.ts';
import { codeOf, Fault, isFault } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { createServer, ServerResponse } from '#lib/node-http.ts';
import { answerEarly, boundUnread } from '#lib/unread-body.ts';
import { listenOnSocket } from '#lib/unix-socket.ts';
import type { Backends } from './backends.ts';
import type { Call } from './call.ts';
import { goJson, sendEmpty, sendJson } from './call.ts';
import { statusOf } from './errors.ts';
import type { Router } from './router.ts';
import { createRouter } from './router.ts';
import { routes } from './routes/index.ts';
import { splitVersion } from './versions.ts';

/** Open connections; see `Connections` for what happens when more come. */
export const connectionLimit = 4096;
/** Milliseconds in which a request's header has to come. */
const headerMs = 60_000;
/** Bytes of a request's header: room for credentials of many registries. */
const headerLimit = 1 << 20;
const socketMode = 0o660;

export interface DockerApiOptions {
  backends: Backends;
  log: Logger;
  clock: Clock;
  /** Connections at the most, where it is fewer than `connectionLimit`. */
  connections?: number;
  /** Gantry's version, for the `Server` header. */
  version: string;
}

export interface DockerApi {
  /** Serves on a unix socket of mode 0660. `conflict` where another process serves there. */
  listen(socketPath: string): Promise<void>;
  /** Stops listening and breaks the connections that are left. */
  close(): Promise<void>;
}

export function createDockerApi(options: DockerApiOptions): DockerApi {
  return new DockerDoor(options);
}

class DockerDoor implements DockerApi {
  readonly #options: DockerApiOptions;
  readonly #router: Router = createRouter(routes);
  readonly #server: Server;
  readonly #connections: Connections;

  constructor(options: DockerApiOptions) {
    this.#options = options;
    this.#connections = new Connections(Math.min(connectionLimit, options.connections ?? connectionLimit));
    // uploads and streams last as long as they last
    this.#server = createServer({ requestTimeout: 0, headersTimeout: headerMs, maxHeaderSize: headerLimit, keepAliveTimeout: 300_000 });
    this.#server.on('connection', (socket) => this.#connections.add(socket));
    this.#server.on('request', (request, response) => {
      this.#connections.begin(request.socket);
      response.once('close', () => this.#connections.end(request.socket));
      boundUnread(request, response, this.#options.clock);
      void this.#serve(request, response, undefined);
    });
    this.#server.on('upgrade', (request, socket, head) => {
      this.#connections.begin(socket);
      void this.#serveUpgrade(request, socket, head);
    });
    this.#server.on('clientError', (error, socket) => refuse(error, socket));
  }

  async listen(socketPath: string): Promise<void> {
    await clearStale(socketPath);
    await listenOnSocket(this.#server, socketPath, socketMode, connectionLimit);
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#connections.destroyAll();
    await closed;
  }

  async #serveUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    if (head.length > 0) socket.unshift(head);
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket as Socket);
    response.on('finish', () => socket.end(() => socket.destroy()));
    await this.#serve(request, response, socket);
  }

  async #serve(request: IncomingMessage, response: ServerResponse, upgrade: Duplex | undefined): Promise<void> {
    const gone = new AbortController();
    const watched = upgrade ?? response;
    watched.on('close', () => {
      if (!response.writableFinished) gone.abort(new Fault('canceled', 'the client went away'));
    });
    response.on('error', () => {});
    request.on('error', () => {});
    const call: Call = {
      request,
      response,
      upgrade,
      params: {},
      query: new URLSearchParams(),
      version: newestApi,
      backends: this.#options.backends,
      clock: this.#options.clock,
      signal: gone.signal,
    };
    try {
      await this.#dispatch(call);
    } catch (error) {
      this.#fail(call, error);
    }
  }

  async #dispatch(call: Call): Promise<void> {
    const [rawPath = '/', query = ''] = (call.request.url ?? '/').split('?', 2);
    call.query = new URLSearchParams(query);
    commonHeaders(call.response, this.#options.version);
    if (call.request.method === 'OPTIONS') {
      sendEmpty(call, 200);
      return;
    }
    const { version, path } = splitVersion(rawPath);
    call.version = version;
    const match = this.#router(call.request.method ?? 'GET', path);
    if (!match) throw new Fault('not-found', 'page not found');
    call.params = match.params;
    await match.route.handle(call);
  }

  #fail(call: Call, error: unknown): void {
    const { status, message } = statusOf(error);
    const target = `${call.request.method} ${call.request.url?.split('?')[0]}`;
    if (!isFault(error) || error.kind === 'internal') {
      this.#options.log.error('request failed', { request: target, error, stack: error instanceof Error ? error.stack : undefined });
    }
    if (call.response.headersSent || call.response.destroyed) {
      call.response.destroy();
      call.upgrade?.destroy();
      return;
    }
    if (!call.upgrade && !call.request.complete) void answerEarly(call.request, call.response, status, { 'content-type': 'application/json' }, Buffer.from(goJson({ message })), call.clock);
    else if (status === 304) sendEmpty(call, 304);
    else sendJson(call, status, { message });
  }
}

function commonHeaders(response: ServerResponse, version: string): void {
  response.setHeader('Api-Version', showApi(newestApi));
  response.setHeader('Ostype', 'linux');
  response.setHeader('Docker-Experimental', 'false');
  response.setHeader('Server', `Gantry/${version} (linux)`);
}

/** What is no request; by Node's code for it. */
const refusals: Readonly<Record<string, string>> = { HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large', ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout' };

function refuse(error: Error, socket: Duplex): void {
  const status = refusals[codeOf(error) ?? ''] ?? '400 Bad Request';
  if (socket.writable) socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  else socket.destroy();
}

/** Removes the socket of a daemon that is gone. */
async function clearStale(path: string): Promise<void> {
  const entry = lstatSync(path, { throwIfNoEntry: false });
  if (!entry) return;
  if (!entry.isSocket()) throw new Fault('conflict', `${path} exists and is not a socket; choose another path for the Docker socket`);
  const served = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    probe.on('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.on('error', () => resolve(false));
  });
  if (served) throw new Fault('conflict', `another engine serves on ${path}; stop it or choose another path for the Docker socket`);
  unlinkSync(path);
}
