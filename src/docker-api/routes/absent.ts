/** What Docker's API has and Gantry has not: each answers by name. */
import { Fault } from '#lib/errors.ts';
import type { Call } from '../call.ts';
import { parameter, sendJson } from '../call.ts';
import type { Route } from '../router.ts';

const methods = ['GET', 'POST', 'PUT', 'DELETE'] as const;

const notManager =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

function swarmRoutes(noun: string): Route[] {
  const handle = (): void => {
    throw new Fault('unavailable', notManager);
  };
  return methods.flatMap((method) => [
    { method, path: `/${noun}`, handle },
    { method, path: `/${noun}/{rest...}`, handle },
  ]);
}

function missing(method: Route['method'], path: string): Route {
  return { method, path, handle: notImplemented };
}

/** 501 with the name of what was asked for. */
export function notImplemented(call: Call): never {
  const path = (call.request.url ?? '').split('?')[0] ?? '';
  throw new Fault('not-implemented', `${call.request.method} ${path} is not implemented by Gantry yet`);
}

export const absentRoutes: readonly Route[] = [
  { method: 'GET', path: '/plugins', handle: (call) => sendJson(call, 200, []) },
  {
    method: 'GET',
    path: '/plugins/{name...}/json',
    handle: (call) => {
      throw new Fault('not-found', `plugin "${parameter(call, 'name')}" not found`);
    },
  },
  ...methods.map((method) => missing(method, '/plugins/{rest...}')),
  ...['swarm', 'nodes', 'services', 'tasks', 'secrets', 'configs'].flatMap(swarmRoutes),
  missing('POST', '/session'),
  missing('POST', '/grpc'),
  missing('GET', '/images/search'),
  missing('PUT', '/volumes/{name}'),
  missing('GET', '/containers/{id}/attach/ws'),
  missing('GET', '/containers/{id}/checkpoints'),
  missing('POST', '/containers/{id}/checkpoints'),
  missing('DELETE', '/containers/{id}/checkpoints/{checkpoint}'),
];
