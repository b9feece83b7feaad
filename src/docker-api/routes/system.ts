import { authFields } from '../bodies.ts';
import type { Call } from '../call.ts';
import { check } from '../check.ts';
import { readChecked, sendJson } from '../call.ts';
import { sendJsonLines } from '../progress.ts';
import { filters, isObject, timestamp } from '../query.ts';
import type { Route } from '../router.ts';
import { shapeDiskUsage } from '../shape.ts';
import type { AuthConfig } from '#api/docker/common.ts';
import { Fault } from '#lib/errors.ts';

const eventFilters = [
  'config', 'container', 'daemon', 'event', 'image', 'label', 'network', 'node', 'plugin', 'scope', 'secret', 'service', 'type', 'volume',
];

export const systemRoutes: readonly Route[] = [
  { method: 'HEAD', path: '/_ping', handle: ping },
  { method: 'GET', path: '/_ping', handle: ping },
  { method: 'GET', path: '/version', handle: async (call) => sendJson(call, 200, await call.backends.system.version()) },
  { method: 'GET', path: '/info', handle: async (call) => sendJson(call, 200, await call.backends.system.info()) },
  { method: 'GET', path: '/system/df', handle: diskUsage },
  { method: 'POST', path: '/auth', handle: auth },
  { method: 'GET', path: '/events', handle: events },
];

function ping(call: Call): void {
  const body = call.request.method === 'HEAD' ? '' : 'OK';
  call.response.writeHead(200, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': body.length,
    'Cache-Control': 'no-cache, no-store, must-revalidate',
    Pragma: 'no-cache',
    'Builder-Version': '1',
    Swarm: 'inactive',
  });
  call.response.end(body);
}

async function diskUsage(call: Call): Promise<void> {
  const types = call.query.getAll('type');
  for (const type of types) {
    if (!['container', 'image', 'volume', 'build-cache'].includes(type)) throw new Fault('invalid', `unknown object type: ${type}`);
  }
  const usage = await call.backends.system.diskUsage(types);
  const cache = usage.BuildCache === null ? null : ((await call.backends.build?.records()) ?? usage.BuildCache);
  sendJson(call, 200, shapeDiskUsage({ ...usage, BuildCache: cache }, call.version));
}

async function auth(call: Call): Promise<void> {
  sendJson(call, 200, await call.backends.system.auth(await readChecked<AuthConfig>(call, authFields)));
}

async function events(call: Call): Promise<void> {
  const options = {
    filters: filters(call.query, eventFilters),
    since: timestamp(call.query, 'since'),
    until: timestamp(call.query, 'until'),
  };
  await sendJsonLines(call, call.backends.system.events(options, call.signal));
}

/** `X-Registry-Auth`: base64url JSON; what cannot be read counts as absent, as Docker has it. */
export function registryAuth(call: Call): AuthConfig | undefined {
  const value = decodeHeader(call, 'x-registry-auth');
  return isObject(value) && Object.keys(value).length > 0 ? asAuth(value) : undefined;
}

/** `X-Registry-Config`: registry host -> credentials. */
export function registryConfig(call: Call): Record<string, AuthConfig> {
  const value = decodeHeader(call, 'x-registry-config');
  if (!isObject(value)) return {};
  const found = Object.entries(value).flatMap(([host, auth]): [string, AuthConfig][] => {
    const checked = isObject(auth) ? asAuth(auth) : undefined;
    return checked ? [[host, checked]] : [];
  });
  return Object.fromEntries(found);
}

function asAuth(value: Record<string, unknown>): AuthConfig | undefined {
  try {
    return check<AuthConfig>(value, authFields);
  } catch {
    return undefined;
  }
}

function decodeHeader(call: Call, name: string): unknown {
  const header = call.request.headers[name];
  if (typeof header !== 'string' || header === '') return undefined;
  try {
    return JSON.parse(Buffer.from(header, 'base64url').toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}
