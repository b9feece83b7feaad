import type { NetworkConnectRequest, NetworkCreateRequest, NetworkDisconnectRequest } from '#api/docker/networks.ts';
import { networkConnectFields, networkCreateFields, networkDisconnectFields } from '../bodies.ts';
import type { Call } from '../call.ts';
import { parameter, readChecked, sendEmpty, sendJson } from '../call.ts';
import { filters, flag, text } from '../query.ts';
import type { Route } from '../router.ts';
import { shapeNetwork } from '../shape.ts';

const listFilters = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'];

export const networkRoutes: readonly Route[] = [
  { method: 'GET', path: '/networks', handle: list },
  { method: 'POST', path: '/networks/create', handle: create },
  { method: 'POST', path: '/networks/prune', handle: prune },
  { method: 'GET', path: '/networks/{id}', handle: inspect },
  { method: 'DELETE', path: '/networks/{id}', handle: remove },
  { method: 'POST', path: '/networks/{id}/connect', handle: connect },
  { method: 'POST', path: '/networks/{id}/disconnect', handle: disconnect },
];

async function list(call: Call): Promise<void> {
  const networks = await call.backends.networks.list(filters(call.query, listFilters));
  // lists never told who is connected
  sendJson(call, 200, networks.map((network) => shapeNetwork({ ...network, Containers: {} }, call.version)));
}

async function inspect(call: Call): Promise<void> {
  const options = { scope: text(call.query, 'scope'), verbose: flag(call.query, 'verbose') };
  sendJson(call, 200, shapeNetwork(await call.backends.networks.inspect(parameter(call, 'id'), options), call.version));
}

async function create(call: Call): Promise<void> {
  sendJson(call, 201, await call.backends.networks.create(await readChecked<NetworkCreateRequest>(call, networkCreateFields)));
}

async function remove(call: Call): Promise<void> {
  await call.backends.networks.remove(parameter(call, 'id'));
  sendEmpty(call, 204);
}

async function connect(call: Call): Promise<void> {
  await call.backends.networks.connect(parameter(call, 'id'), await readChecked<NetworkConnectRequest>(call, networkConnectFields));
  sendEmpty(call, 200);
}

async function disconnect(call: Call): Promise<void> {
  await call.backends.networks.disconnect(parameter(call, 'id'), await readChecked<NetworkDisconnectRequest>(call, networkDisconnectFields));
  sendEmpty(call, 200);
}

async function prune(call: Call): Promise<void> {
  sendJson(call, 200, await call.backends.networks.prune(filters(call.query, ['until', 'label', 'label!'])));
}
