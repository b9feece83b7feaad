/** Paths that name no resource: health, version, discovery, keys. */
import { createHash } from 'node:crypto';
import { sendBytes, sendValue } from '../http/answer.ts';
import type { Exchange } from '../http/exchange.ts';
import { parseAccept } from '../http/negotiate.ts';
import { noSuchPath } from '../status.ts';
import { aggregated, apiGroupList, apiVersions, documentAt } from './documents.ts';
import { version } from './version.ts';

export interface PathRoute {
  /** The path, or with a slash at its end all that begins so. */
  path: string;
  serve(exchange: Exchange): Promise<void>;
}

const discoveryV2 = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

export const discoveryRoutes: readonly PathRoute[] = [
  { path: '/version', serve: (exchange) => sendJson(exchange, version()) },
  { path: '/api', serve: (exchange) => root(exchange, '/api') },
  { path: '/apis', serve: (exchange) => root(exchange, '/apis') },
  { path: '/api/', serve: groupVersion },
  { path: '/apis/', serve: groupVersion },
  { path: '/healthz', serve: healthy },
  { path: '/livez', serve: healthy },
  { path: '/readyz', serve: healthy },
  { path: '/healthz/', serve: healthCheck },
  { path: '/livez/', serve: healthCheck },
  { path: '/readyz/', serve: healthCheck },
];

async function root(exchange: Exchange, path: '/api' | '/apis'): Promise<void> {
  const { request, server } = exchange;
  const wantsAll = parseAccept(request.headers.accept ?? '').find(({ parameters: p }) => p.get('as') === 'APIGroupDiscoveryList' && p.get('v') === 'v2');
  exchange.response.setHeader('vary', 'Accept');
  if (wantsAll) return sendTagged(exchange, discoveryV2, Buffer.from(JSON.stringify(aggregated(server.core.resources, path))));
  const clientCIDR = '0.0.0.0/0';
  const serverAddress = request.headers.host ?? '';
  await sendValue(exchange, 200, path === '/api' ? apiVersions([{ clientCIDR, serverAddress }]) : apiGroupList(server.core.resources));
}

async function groupVersion(exchange: Exchange): Promise<void> {
  const document = documentAt(exchange.server.core.resources, exchange.info.path);
  if (!document) throw noSuchPath();
  await sendValue(exchange, 200, document);
}

/** Answers 304 where the client has the document already. */
export async function sendTagged(exchange: Exchange, type: string, bytes: Buffer): Promise<void> {
  const { request, response } = exchange;
  const tag = `"${createHash('sha512').update(bytes).digest('hex').toUpperCase()}"`;
  response.setHeader('etag', tag);
  if (request.headers['if-none-match'] === tag) {
    response.setHeader('cache-control', 'public');
    response.writeHead(304).end();
    return;
  }
  await sendBytes(exchange, 200, type, bytes);
}

function sendJson(exchange: Exchange, value: unknown): Promise<void> {
  return sendBytes(exchange, 200, 'application/json', Buffer.from(JSON.stringify(value, undefined, 2)));
}

/** The server answers requests only once its store is read, so that to answer is to be healthy. */
async function healthy(exchange: Exchange): Promise<void> {
  const verbose = exchange.info.query.has('verbose');
  const checks = healthChecks.map((name) => `[+]${name} ok\n`).join('');
  const text = verbose ? `${checks}${exchange.info.path.slice(1)} check passed\n` : 'ok';
  await sendBytes(exchange, 200, 'text/plain; charset=utf-8', Buffer.from(text));
}

const healthChecks = ['ping', 'log', 'etcd'];

async function healthCheck(exchange: Exchange): Promise<void> {
  const name = exchange.info.path.split('/')[2] ?? '';
  if (!healthChecks.includes(name)) throw noSuchPath();
  await sendBytes(exchange, 200, 'text/plain; charset=utf-8', Buffer.from('ok'));
}
