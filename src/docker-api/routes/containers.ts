import type { ContainerConfig, CreateRequest, UpdateRequest } from '#api/docker/containers.ts';
import { Fault } from '#lib/errors.ts';
import type { StopOptions, WaitCondition } from '#api/docker/calls.ts';
import { configFields, createFields, updateFields } from '../bodies.ts';
import type { Call } from '../call.ts';
import { goJson, parameter, readChecked, sendEmpty, sendJson } from '../call.ts';
import { filters, flag, integer, text } from '../query.ts';
import type { Route } from '../router.ts';
import { statusOf } from '../errors.ts';
import { shapeContainer } from '../shape.ts';

const listFilters = [
  'ancestor', 'before', 'expose', 'exited', 'health', 'id', 'isolation', 'is-task', 'label', 'name', 'network', 'publish', 'since', 'status', 'volume',
];

/** Bytes of a body that can hold no field. */
const emptyBodyLimit = 7;

/** A call that acts on one container and answers 204. */
function action(path: string, act: (call: Call, id: string) => Promise<void>): Route {
  return {
    method: 'POST',
    path: `/containers/{id}/${path}`,
    handle: async (call) => {
      await act(call, parameter(call, 'id'));
      sendEmpty(call, 204);
    },
  };
}

export const containerRoutes: readonly Route[] = [
  { method: 'GET', path: '/containers/json', handle: list },
  { method: 'POST', path: '/containers/create', handle: create },
  { method: 'POST', path: '/containers/prune', handle: prune },
  { method: 'GET', path: '/containers/{id}/json', handle: inspect },
  action('start', start),
  action('stop', (call, id) => call.backends.containers.stop(id, stopOptions(call))),
  action('restart', (call, id) => call.backends.containers.restart(id, stopOptions(call))),
  action('kill', (call, id) => call.backends.containers.kill(id, text(call.query, 'signal') || undefined)),
  action('pause', (call, id) => call.backends.containers.pause(id)),
  action('unpause', (call, id) => call.backends.containers.unpause(id)),
  action('rename', (call, id) => call.backends.containers.rename(id, text(call.query, 'name'))),
  { method: 'POST', path: '/containers/{id}/update', handle: update },
  { method: 'POST', path: '/containers/{id}/wait', handle: wait },
  { method: 'POST', path: '/containers/{id}/resize', handle: resize },
  { method: 'GET', path: '/containers/{id}/top', handle: top },
  { method: 'GET', path: '/containers/{id}/changes', handle: changes },
  { method: 'DELETE', path: '/containers/{id}', handle: remove },
  { method: 'POST', path: '/commit', handle: commit },
];

async function start(call: Call, id: string): Promise<void> {
  // `{}` and `null` say nothing; the settings of a start were a part of it before 1.24
  if (Number(call.request.headers['content-length'] ?? 0) > emptyBodyLimit) throw new Fault('invalid', 'starting container with non-empty request body was removed in API v1.24: give its settings to POST /containers/create');
  if (text(call.query, 'checkpoint') !== '') throw new Fault('not-implemented', 'starting from a checkpoint is not implemented by Gantry yet');
  await call.backends.containers.start(id);
}

async function list(call: Call): Promise<void> {
  const options = {
    all: flag(call.query, 'all'),
    limit: Math.max(0, integer(call.query, 'limit') ?? 0),
    size: flag(call.query, 'size'),
    filters: filters(call.query, listFilters),
  };
  sendJson(call, 200, await call.backends.containers.list(options));
}

async function create(call: Call): Promise<void> {
  const body = await readChecked<CreateRequest>(call, createFields);
  if (Object.keys(body).length === 0) throw new Fault('invalid', 'config cannot be empty in order to create a container');
  const options = { name: text(call.query, 'name') || undefined, platform: text(call.query, 'platform') || undefined };
  sendJson(call, 201, await call.backends.containers.create(body, options));
}

async function inspect(call: Call): Promise<void> {
  const container = await call.backends.containers.inspect(parameter(call, 'id'), { size: flag(call.query, 'size') });
  sendJson(call, 200, shapeContainer(container, call.version));
}

function stopOptions(call: Call): StopOptions {
  const signal = text(call.query, 'signal');
  return { timeout: integer(call.query, 't'), ...(signal !== '' && call.version >= 42 ? { signal } : {}) };
}

async function update(call: Call): Promise<void> {
  const body = await readChecked<UpdateRequest>(call, updateFields);
  sendJson(call, 200, await call.backends.containers.update(parameter(call, 'id'), body));
}

const waitConditions: readonly string[] = ['not-running', 'next-exit', 'removed'];

async function wait(call: Call): Promise<void> {
  const condition = text(call.query, 'condition') || 'not-running';
  if (!waitConditions.includes(condition)) throw new Fault('invalid', `invalid condition: "${condition}"`);
  const { result } = await call.backends.containers.wait(parameter(call, 'id'), condition as WaitCondition, call.signal);
  // before 1.30 the answer came whole at the end; since then the headers tell that the wait stands
  if (call.version >= 30) {
    call.response.writeHead(200, { 'Content-Type': 'application/json' });
    call.response.flushHeaders();
  }
  try {
    const answer = await result;
    if (call.version >= 30) call.response.end(goJson(answer));
    else sendJson(call, 200, answer);
  } catch (error) {
    if (!call.response.headersSent) throw error;
    call.response.end(goJson({ StatusCode: -1, Error: { Message: statusOf(error).message } }));
  }
}

export function terminalSize(call: Call): { rows: number; columns: number } {
  const rows = integer(call.query, 'h');
  const columns = integer(call.query, 'w');
  if (rows === undefined || columns === undefined) throw new Fault('invalid', 'invalid resize: h and w are needed');
  if (rows < 0 || columns < 0 || rows > 65535 || columns > 65535) throw new Fault('invalid', 'invalid resize: h and w are 0 to 65535');
  return { rows, columns };
}

async function resize(call: Call): Promise<void> {
  await call.backends.containers.resize(parameter(call, 'id'), terminalSize(call));
  sendEmpty(call, 200);
}

async function top(call: Call): Promise<void> {
  sendJson(call, 200, await call.backends.containers.top(parameter(call, 'id'), text(call.query, 'ps_args') || '-ef'));
}

async function changes(call: Call): Promise<void> {
  sendJson(call, 200, await call.backends.containers.changes(parameter(call, 'id')));
}

async function remove(call: Call): Promise<void> {
  if (flag(call.query, 'link')) throw new Fault('not-implemented', 'removing a link (docker rm --link) is not implemented by Gantry, which has no links');
  const options = { force: flag(call.query, 'force'), volumes: flag(call.query, 'v') };
  await call.backends.containers.remove(parameter(call, 'id'), options);
  sendEmpty(call, 204);
}

async function prune(call: Call): Promise<void> {
  sendJson(call, 200, await call.backends.containers.prune(filters(call.query, ['until', 'label', 'label!'])));
}

async function commit(call: Call): Promise<void> {
  const body = await readChecked<ContainerConfig>(call, configFields);
  const options = {
    repo: text(call.query, 'repo'),
    tag: text(call.query, 'tag'),
    comment: text(call.query, 'comment'),
    author: text(call.query, 'author'),
    changes: call.query.getAll('changes').flatMap((c) => c.split('\n')),
    pause: flag(call.query, 'pause', true),
    ...(Object.keys(body).length > 0 ? { config: body } : {}),
  };
  sendJson(call, 201, await call.backends.containers.commit(text(call.query, 'container'), options));
}
