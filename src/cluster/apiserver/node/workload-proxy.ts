/** `pods/proxy` and `services/proxy`: any HTTP request, or an upgrade, to a port of a pod. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { connect as connectTls } from 'node:tls';
import { once } from 'node:events';
import { messageOf } from '#lib/errors.ts';
import { request as httpRequest } from '#lib/node-http.ts';
import type { Core } from '../core.ts';
import type { ResourceExchange } from '../http/exchange.ts';
import { badRequest, unreachable } from '../status.ts';
import type { Target } from '../types.ts';
import type { NodeDialer } from './dial.ts';
import type { Destination } from './proxy-target.ts';
import { destinationOfPod, destinationOfService } from './proxy-target.ts';
import { join, requestHead } from './streams.ts';
import { addressOfNode } from './target.ts';
import type { Connector } from './types.ts';

const destinations: readonly { resource: string; find: (core: Core, target: Target) => Destination }[] = [
  { resource: 'pods', find: destinationOfPod },
  { resource: 'services', find: destinationOfService },
];

export function workloadProxyConnectors(dialer: NodeDialer): Connector[] {
  return destinations.map(({ resource, find }) => ({
    resource,
    subresource: 'proxy',
    serve: async (exchange) => {
      const { before, path, query } = proxied(exchange);
      // Links that the page holds are relative to a directory.
      if (path === '') return void exchange.response.writeHead(301, { location: `${before}/${query}` }).end();
      const socket = await open(exchange, dialer, find(exchange.server.core, exchange.target));
      await pass(exchange.request, exchange.response, socket, { before, target: path + query });
    },
    upgrade: async (exchange) => {
      const { path, query } = proxied(exchange);
      const socket = await open(exchange, dialer, find(exchange.server.core, exchange.target));
      socket.write(requestHead(exchange.request, (path || '/') + query, exchange.target.name));
      socket.write(exchange.head);
      join(exchange.socket, socket, exchange.signal);
    },
  }));
}

/** The path as it came: what leads to the proxy, what is behind it, and the query with its mark. */
function proxied({ info, request }: Pick<ResourceExchange, 'info' | 'request'>): { before: string; path: string; query: string } {
  const [, before, path = ''] = /^(\/api\/v1\/namespaces\/[^/]+\/[^/]+\/[^/]+\/proxy)(\/.*)?$/s.exec(info.path) ?? [];
  if (before === undefined) throw badRequest(`${info.path} is no path of a proxy; write it without escapes up to /proxy`);
  const [, query = ''] = /^[^?]*(.*)$/s.exec(request.url ?? '') ?? [];
  return { before, path, query };
}

async function open({ server, signal }: Pick<ResourceExchange, 'server' | 'signal'>, dialer: NodeDialer, to: Destination): Promise<Duplex> {
  const plain = 'node' in to ? await dialer.connectPod(addressOfNode(server.core, to.node), to.pod, signal) : await openTcp(to.address, to.port, signal);
  // What a pod shows of itself is signed by nobody that this server knows.
  return to.secure ? connectTls({ socket: plain, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] }) : plain;
}

async function openTcp(address: string, port: number, signal: AbortSignal): Promise<Socket> {
  const socket = connectTcp({ host: address, port, signal });
  try {
    await once(socket, 'connect');
    return socket;
  } catch (error) {
    throw unreachable(`dial tcp ${address}:${port}: ${messageOf(error)}`, error);
  }
}

/** Of one hop, or for the API server alone. */
const ownRequestHeaders = /^(connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|authorization|impersonate-.*|x-forwarded-.*|expect)$/;
const ownResponseHeaders = /^(connection|keep-alive|proxy-.*|transfer-encoding|upgrade)$/;

function without(headers: OutgoingHttpHeaders, own: RegExp): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !own.test(name)));
}

async function pass(request: IncomingMessage, response: ServerResponse, socket: Duplex, { before, target }: { before: string; target: string }): Promise<void> {
  const forwarded = { 'x-forwarded-uri': request.url, 'x-forwarded-host': request.headers.host, 'x-forwarded-proto': 'https' };
  const headers = { ...without(request.headers, ownRequestHeaders), ...forwarded, connection: 'close' };
  const upstream = httpRequest({ createConnection: () => socket, method: request.method ?? 'GET', path: target, headers, setHost: false });
  const answered = once(upstream, 'response');
  // A service may answer before it has read all that was sent: what is left unsent then does not matter.
  pipeline(request, upstream).catch(() => {});
  try {
    const [answer] = (await answered) as [IncomingMessage];
    const { location } = answer.headers;
    const moved = location?.startsWith('/') === true ? { location: before + location } : {};
    response.writeHead(answer.statusCode ?? 502, { ...without(answer.headers, ownResponseHeaders), ...moved });
    await pipeline(answer, response).catch(() => response.destroy());
  } catch (error) {
    throw unreachable(messageOf(error), error);
  } finally {
    socket.destroy();
  }
}
