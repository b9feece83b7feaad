import type { ExecCreateRequest, ExecStartRequest } from '#api/docker/containers.ts';
import { execCreateFields, execStartFields } from '../bodies.ts';
import type { Call } from '../call.ts';
import { parameter, readChecked, sendEmpty, sendJson } from '../call.ts';
import { hijack } from '../hijack.ts';
import type { Route } from '../router.ts';
import { terminalSize } from './containers.ts';

export const execRoutes: readonly Route[] = [
  { method: 'POST', path: '/containers/{id}/exec', handle: create },
  { method: 'POST', path: '/exec/{id}/start', handle: start },
  { method: 'POST', path: '/exec/{id}/resize', handle: resize },
  { method: 'GET', path: '/exec/{id}/json', handle: async (call) => sendJson(call, 200, await call.backends.execs.inspect(parameter(call, 'id'))) },
];

async function create(call: Call): Promise<void> {
  const body = await readChecked<ExecCreateRequest>(call, execCreateFields);
  sendJson(call, 201, await call.backends.execs.create(parameter(call, 'id'), body));
}

async function start(call: Call): Promise<void> {
  const body = await readChecked<ExecStartRequest>(call, execStartFields);
  const session = await call.backends.execs.start(parameter(call, 'id'), body);
  if (session) await hijack(call, session.streams, { tty: session.tty, stdin: true, stdout: true, stderr: true });
  else sendEmpty(call, 200);
}

async function resize(call: Call): Promise<void> {
  await call.backends.execs.resize(parameter(call, 'id'), terminalSize(call));
  sendEmpty(call, 200);
}
