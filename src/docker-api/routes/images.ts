import type { Call } from '../call.ts';
import { parameter, sendEmpty, sendJson } from '../call.ts';
import { filters, flag, text } from '../query.ts';
import type { Route } from '../router.ts';
import { shapeImage, shapeImageSummary } from '../shape.ts';
import { registryAuth } from './system.ts';

const listFilters = ['before', 'dangling', 'label', 'reference', 'since', 'until'];

export const imageRoutes: readonly Route[] = [
  { method: 'GET', path: '/images/json', handle: list },
  { method: 'POST', path: '/images/prune', handle: prune },
  { method: 'GET', path: '/images/{name...}/json', handle: inspect },
  { method: 'GET', path: '/images/{name...}/history', handle: history },
  { method: 'POST', path: '/images/{name...}/tag', handle: tag },
  { method: 'DELETE', path: '/images/{name...}', handle: remove },
  { method: 'GET', path: '/distribution/{name...}/json', handle: distribution },
];

async function list(call: Call): Promise<void> {
  const options = {
    all: flag(call.query, 'all'),
    filters: filters(call.query, listFilters),
    sharedSize: flag(call.query, 'shared-size'),
  };
  const images = await call.backends.images.list(options);
  sendJson(call, 200, images.map((image) => shapeImageSummary(image, call.version)));
}

async function inspect(call: Call): Promise<void> {
  const image = await call.backends.images.inspect(parameter(call, 'name'), { platform: text(call.query, 'platform') });
  sendJson(call, 200, shapeImage(image, call.version));
}

async function history(call: Call): Promise<void> {
  sendJson(call, 200, await call.backends.images.history(parameter(call, 'name'), { platform: text(call.query, 'platform') }));
}

async function tag(call: Call): Promise<void> {
  await call.backends.images.tag(parameter(call, 'name'), text(call.query, 'repo'), text(call.query, 'tag'));
  sendEmpty(call, 201);
}

async function remove(call: Call): Promise<void> {
  const options = { force: flag(call.query, 'force'), prune: !flag(call.query, 'noprune'), platforms: call.query.getAll('platforms') };
  sendJson(call, 200, await call.backends.images.remove(parameter(call, 'name'), options));
}

async function prune(call: Call): Promise<void> {
  sendJson(call, 200, await call.backends.images.prune(filters(call.query, ['dangling', 'until', 'label', 'label!'])));
}

async function distribution(call: Call): Promise<void> {
  sendJson(call, 200, await call.backends.images.distribution(parameter(call, 'name'), registryAuth(call)));
}
