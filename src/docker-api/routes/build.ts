import type { BuildOptions, BuildResources } from '#api/docker/build.ts';
import type { Ulimit } from '#api/docker/host-config.ts';
import { Fault } from '#lib/errors.ts';
import type { BuildBackend } from '../backends.ts';
import type { Call } from '../call.ts';
import { bodyStream, sendEmpty, sendJson } from '../call.ts';
import { sendProgress } from '../progress.ts';
import { filters, flag, integer, isObject, jsonParameter, nullableStringMap, stringList, stringMap, text } from '../query.ts';
import type { Route } from '../router.ts';
import { notImplemented } from './absent.ts';
import { registryConfig } from './system.ts';

export const buildRoutes: readonly Route[] = [
  { method: 'POST', path: '/build', handle: build },
  { method: 'POST', path: '/build/prune', handle: prune },
  { method: 'POST', path: '/build/cancel', handle: cancel },
];

function backend(call: Call): BuildBackend {
  return call.backends.build ?? notImplemented(call);
}

async function build(call: Call): Promise<void> {
  const options = buildOptions(call);
  const builder = backend(call);
  const context = options.remote === '' ? bodyStream(call) : undefined;
  await sendProgress(call, (emit, signal) => builder.build(options, context, emit, signal));
}

function buildOptions(call: Call): BuildOptions {
  const query = call.query;
  const version = text(query, 'version') || '1';
  if (query.getAll('securityopt').some((o) => o !== '')) throw new Fault('invalid', 'The daemon on this platform does not support setting security options on build');
  if (version !== '1' && version !== '2') throw new Fault('invalid', `invalid builder version: "${version}"; use 1 or 2`);
  return {
    version,
    dockerfile: text(query, 'dockerfile') || 'Dockerfile',
    tags: query.getAll('t').filter((t) => t !== ''),
    buildArgs: nullableStringMap(query, 'buildargs'),
    labels: stringMap(query, 'labels'),
    cacheFrom: stringList(query, 'cachefrom'),
    target: text(query, 'target'),
    noCache: flag(query, 'nocache'),
    pull: flag(query, 'pull'),
    quiet: flag(query, 'q'),
    squash: flag(query, 'squash'),
    networkMode: text(query, 'networkmode'),
    platform: text(query, 'platform'),
    extraHosts: query.getAll('extrahosts').filter((h) => h !== ''),
    remote: text(query, 'remote'),
    resources: buildResources(query),
    registryAuth: registryConfig(call),
    buildId: text(query, 'buildid'),
  };
}

function buildResources(query: URLSearchParams): BuildResources {
  const count = (name: string): number => integer(query, name) ?? 0;
  return {
    memory: count('memory'),
    memorySwap: count('memswap'),
    cpuShares: count('cpushares'),
    cpuPeriod: count('cpuperiod'),
    cpuQuota: count('cpuquota'),
    cpusetCpus: text(query, 'cpusetcpus'),
    cpusetMems: text(query, 'cpusetmems'),
    cgroupParent: text(query, 'cgroupparent'),
    shmSize: count('shmsize'),
    ulimits: ulimits(query),
  };
}

function ulimits(query: URLSearchParams): Ulimit[] {
  const value = jsonParameter(query, 'ulimits') ?? [];
  const isUlimit = (u: unknown): u is Ulimit =>
    isObject(u) && typeof u['Name'] === 'string' && typeof u['Soft'] === 'number' && typeof u['Hard'] === 'number';
  if (Array.isArray(value) && value.every(isUlimit)) return value;
  throw new Fault('invalid', 'invalid value for ulimits: must be a JSON array of {"Name","Soft","Hard"}');
}

async function prune(call: Call): Promise<void> {
  const known = ['until', 'id', 'parent', 'type', 'description', 'inuse', 'shared', 'private', 'label', 'label!'];
  for (const name of ['max-used-space', 'min-free-space']) {
    if (integer(call.query, name)) throw new Fault('not-implemented', `build cache prune by ${name} is not implemented by Gantry; use reserved-space`);
  }
  const options = { all: flag(call.query, 'all'), keepStorage: integer(call.query, 'reserved-space') ?? integer(call.query, 'keep-storage') ?? 0 };
  sendJson(call, 200, await backend(call).prune(options, filters(call.query, known)));
}

async function cancel(call: Call): Promise<void> {
  await backend(call).cancel(text(call.query, 'id'));
  sendEmpty(call, 204);
}
