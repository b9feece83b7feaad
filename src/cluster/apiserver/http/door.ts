/** The HTTPS door: finds out who asks, whether they may, and hands over. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Connections } from '#lib/connections.ts';
import { boundUnread } from '#lib/unread-body.ts';
import { Fault, isFault } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { authenticate } from '../authn/authenticate.ts';
import { impersonated } from '../authn/impersonate.ts';
import type { PathRoute } from '../discovery/routes.ts';
import type { Connectors } from '../node/types.ts';
import { noSuchPath, statusFault, toStatus } from '../status.ts';
import type { Server } from '../server-core.ts';
import { sendFailure } from './answer.ts';
import { authorize, handleResource, upgradeResource } from './dispatch.ts';
import type { Exchange } from './exchange.ts';
import type { RequestInfo } from './request-info.ts';
import { parseRequest } from './request-info.ts';

export interface DoorOptions {
  server: Server;
  routes: readonly PathRoute[];
  connectors: Connectors;
  tls: { certificate: string; key: string; clientCa: string };
  log: Logger;
  /** Connections at the most, where it is fewer than `mostConnections`. */
  connections?: number;
}

export interface Address {
  host: string;
  /** 0: any free one. */
  port: number;
}

/** A request's headers must be here within this time, in milliseconds. */
const headersTimeoutMs = 30_000;
/** And its body within this one. */
const requestTimeoutMs = 120_000;
/** Open connections; see `Connections` for what happens when more come. */
export const mostConnections = 4096;
/** The TLS of a new connection must be agreed within this time, in milliseconds. */
const handshakeTimeoutMs = 10_000;
/** Bytes of a request's line and headers. */
const headerLimitBytes = 64 * 1024;
/** Requests under way at once, without watches and streams; with more, clients are told to come again. */
export const mostRequests = 600;
/** An idle connection is kept this long, in milliseconds. */
const keepAliveMs = 120_000;

export class HttpDoor {
  readonly #options: DoorOptions;
  readonly #listeners: HttpsServer[] = [];
  readonly #stop = new AbortController();
  readonly #connections: Connections;
  /** Connections whose TLS is not agreed yet, by their other end. */
  readonly #handshakes = new Map<string, Socket>();
  #requests = 0;

  constructor(options: DoorOptions) {
    this.#options = options;
    this.#connections = new Connections(Math.min(mostConnections, options.connections ?? mostConnections));
  }

  /** Resolves with the addresses taken. All or none: throws `unavailable` where one is in use. */
  async listen(addresses: readonly Address[]): Promise<Address[]> {
    const opened: HttpsServer[] = [];
    try {
      for (const address of addresses) opened.push(await this.#open(address));
    } catch (error) {
      await Promise.all(opened.map(closed));
      throw error;
    }
    this.#listeners.push(...opened);
    return opened.map((listener, i) => ({ host: addresses[i]?.host ?? '', port: (listener.address() as AddressInfo).port }));
  }

  async #open({ host, port }: Address): Promise<HttpsServer> {
    const { certificate, key, clientCa } = this.#options.tls;
    const listener = createServer(
      {
        cert: certificate, key, ca: clientCa, requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.2', ALPNProtocols: ['http/1.1'],
        // The end of a stream's input is not the end of its output.
        allowHalfOpen: true,
        handshakeTimeout: handshakeTimeoutMs, maxHeaderSize: headerLimitBytes,
      },
      (request, response) => void this.#serve(request, response),
    );
    listener.headersTimeout = headersTimeoutMs;
    listener.requestTimeout = requestTimeoutMs;
    listener.keepAliveTimeout = keepAliveMs;
    listener.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => void this.#upgrade(request, socket, head));
    listener.on('connection', (socket: Socket) => this.#take(socket));
    listener.on('secureConnection', (socket) => this.#secured(socket));
    listener.on('tlsClientError', (_error, socket) => socket.destroy());
    listener.listen({ host, port, backlog: mostConnections });
    try {
      await once(listener, 'listening');
    } catch (error) {
      throw new Fault('unavailable', `the API server cannot listen on ${host}:${port}; is another one running there?`, { cause: error });
    }
    return listener;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    const closing = this.#listeners.map(closed);
    this.#connections.destroyAll();
    await Promise.all(closing);
  }

  #take(socket: Socket): void {
    if (!this.#connections.add(socket)) return;
    const end = otherEnd(socket);
    this.#handshakes.set(end, socket);
    socket.once('close', () => this.#handshakes.delete(end));
  }

  #secured(socket: Socket): void {
    const end = otherEnd(socket);
    this.#connections.become(this.#handshakes.get(end), socket);
    this.#handshakes.delete(end);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    this.#connections.begin(request.socket);
    response.once('close', () => {
      this.#connections.end(request.socket);
      gone.abort();
    });
    boundUnread(request, response, this.#options.server.core.clock);
    const signal = AbortSignal.any([gone.signal, this.#stop.signal]);
    try {
      const exchange = { ...(await this.#known(request, signal)), response };
      if (isLong(exchange.info)) await this.#handle(exchange);
      else await this.#counted(() => this.#handle(exchange));
    } catch (error) {
      this.#note(request, error);
      await sendFailure(request, response, error, this.#options.server.core.clock).catch(() => response.destroy());
    }
  }

  async #handle(exchange: Exchange): Promise<void> {
    if (exchange.info.resource) await handleResource(exchange, this.#options.connectors);
    else await routeOf(this.#options.routes, exchange.info.path).serve(exchange);
  }

  async #counted(handle: () => Promise<void>): Promise<void> {
    if (this.#requests >= mostRequests) {
      throw statusFault('exhausted', 'Too many requests, please try again later.', { details: { retryAfterSeconds: 1 } });
    }
    this.#requests++;
    try {
      await handle();
    } finally {
      this.#requests--;
    }
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    this.#connections.begin(socket);
    try {
      const exchange = { ...(await this.#known(request, this.#stop.signal)), socket, head };
      await upgradeResource(exchange, this.#options.connectors);
    } catch (error) {
      this.#note(request, error);
      refuseUpgrade(socket, error);
    }
  }

  async #known(request: IncomingMessage, signal: AbortSignal): Promise<Omit<Exchange, 'response'>> {
    const { server } = this.#options;
    const info = parseRequest(request.method ?? 'GET', request.url ?? '/');
    const user = impersonated(request, await authenticate(request, server.authentication), server.authorizer);
    authorize(server, { user, info });
    return { server, request, info, user, warnings: [], signal };
  }

  #note(request: IncomingMessage, error: unknown): void {
    if (isFault(error) && error.kind !== 'internal') return;
    this.#options.log.error('a request failed', { method: request.method, path: request.url?.split('?')[0], error });
  }
}

function otherEnd({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}

function closed(listener: HttpsServer): Promise<void> {
  return new Promise((resolve) => listener.close(() => resolve()));
}

function routeOf(routes: readonly PathRoute[], path: string): PathRoute {
  const bare = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
  const found = routes.find((route) => route.path === bare) ?? routes.find((route) => route.path.endsWith('/') && bare.startsWith(route.path));
  if (!found) throw noSuchPath();
  return found;
}

/** Watches and streams last as long as their readers like. */
function isLong({ verb, resource }: RequestInfo): boolean {
  return verb === 'watch' || resource?.subresource === 'log' || resource?.subresource === 'proxy';
}

/** Answers an upgrade with a plain failure. */
function refuseUpgrade(socket: Duplex, error: unknown): void {
  const status = toStatus(error);
  const body = JSON.stringify(status);
  socket.end(
    `HTTP/1.1 ${status.code ?? 500} ${status.reason === undefined || status.reason === '' ? 'Error' : status.reason}\r\n` +
      `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
