import type { VolumeCreateRequest } from '#api/docker/volumes.ts';
import { volumeCreateFields } from '../bodies.ts';
import type { Call } from '../call.ts';
import { parameter, readChecked, sendEmpty, sendJson } from '../call.ts';
import { filters, flag } from '../query.ts';
import type { Route } from '../router.ts';

export const volumeRoutes: readonly Route[] = [
  { method: 'GET', path: '/volumes', handle: list },
  { method: 'POST', path: '/volumes/create', handle: create },
  { method: 'POST', path: '/volumes/prune', handle: prune },
  { method: 'GET', path: '/volumes/{name}', handle: async (call) => sendJson(call, 200, await call.backends.volumes.inspect(parameter(call, 'name'))) },
  { method: 'DELETE', path: '/volumes/{name}', handle: remove },
];

async function list(call: Call): Promise<void> {
  sendJson(call, 200, await call.backends.volumes.list(filters(call.query, ['dangling', 'driver', 'label', 'name'])));
}

async function create(call: Call): Promise<void> {
  sendJson(call, 201, await call.backends.volumes.create(await readChecked<VolumeCreateRequest>(call, volumeCreateFields)));
}

async function remove(call: Call): Promise<void> {
  await call.backends.volumes.remove(parameter(call, 'name'), { force: flag(call.query, 'force') });
  sendEmpty(call, 204);
}

/** Since 1.42 only anonymous volumes go, unless the filter `all` asks for the named ones too. */
async function prune(call: Call): Promise<void> {
  const { all, ...rest } = filters(call.query, ['label', 'label!', 'all']);
  const everything = call.version < 42 || (all ?? []).some((value) => ['1', 'true'].includes(value.toLowerCase()));
  sendJson(call, 200, await call.backends.volumes.prune(rest, { all: everything }));
}
