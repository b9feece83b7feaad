import type { Call } from '../call.ts';
import { bodyStream, parameter, sendStream } from '../call.ts';
import { sendProgress } from '../progress.ts';
import { flag, text } from '../query.ts';
import type { Route } from '../router.ts';
import { registryAuth } from './system.ts';

/** What moves images in and out. Before the other image routes, since their names are greedy. */
export const imageTransferRoutes: readonly Route[] = [
  { method: 'POST', path: '/images/create', handle: createImage },
  { method: 'POST', path: '/images/load', handle: load },
  { method: 'GET', path: '/images/get', handle: (call) => save(call, call.query.getAll('names').flatMap((n) => n.split(','))) },
  { method: 'GET', path: '/images/{name...}/get', handle: (call) => save(call, [parameter(call, 'name')]) },
  { method: 'POST', path: '/images/{name...}/push', handle: push },
];

/** POST /images/create is a pull with `fromImage` and an import with `fromSrc`. */
async function createImage(call: Call): Promise<void> {
  const name = text(call.query, 'fromImage');
  const platform = text(call.query, 'platform');
  if (name !== '') {
    const options = { name, tag: text(call.query, 'tag'), platform, auth: registryAuth(call) };
    await sendProgress(call, (emit, signal) => call.backends.images.pull(options, emit, signal));
    return;
  }
  const options = {
    source: text(call.query, 'fromSrc'),
    repo: text(call.query, 'repo'),
    tag: text(call.query, 'tag'),
    message: text(call.query, 'message'),
    changes: call.query.getAll('changes').flatMap((c) => c.split('\n')),
    platform,
  };
  await sendProgress(call, (emit, signal) => call.backends.images.import(options, bodyStream(call), emit, signal));
}

async function load(call: Call): Promise<void> {
  const options = { quiet: flag(call.query, 'quiet'), platforms: call.query.getAll('platform') };
  await sendProgress(call, (emit, signal) => call.backends.images.load(bodyStream(call), options, emit, signal));
}

async function save(call: Call, names: readonly string[]): Promise<void> {
  await sendStream(call, 'application/x-tar', await call.backends.images.save(names, call.query.getAll('platform')));
}

async function push(call: Call): Promise<void> {
  const options = { name: parameter(call, 'name'), tag: text(call.query, 'tag'), platform: text(call.query, 'platform'), auth: registryAuth(call) };
  await sendProgress(call, (emit, signal) => call.backends.images.push(options, emit, signal));
}
