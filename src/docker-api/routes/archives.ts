import type { PathStat } from '#api/docker/containers.ts';
import { Fault } from '#lib/errors.ts';
import type { Call } from '../call.ts';
import { bodyStream, parameter, sendEmpty, sendStream } from '../call.ts';
import { flag, text } from '../query.ts';
import type { Route } from '../router.ts';

export const archiveRoutes: readonly Route[] = [
  { method: 'HEAD', path: '/containers/{id}/archive', handle: stat },
  { method: 'GET', path: '/containers/{id}/archive', handle: read },
  { method: 'PUT', path: '/containers/{id}/archive', handle: write },
  { method: 'GET', path: '/containers/{id}/export', handle: exportAll },
];

const statHeader = 'X-Docker-Container-Path-Stat';

function path(call: Call): string {
  const value = text(call.query, 'path');
  if (value === '') throw new Fault('invalid', 'bad parameter: path must be given');
  return value;
}

function encodeStat(value: PathStat): string {
  return Buffer.from(JSON.stringify(value)).toString('base64');
}

async function stat(call: Call): Promise<void> {
  const found = await call.backends.archives.stat(parameter(call, 'id'), path(call));
  call.response.setHeader(statHeader, encodeStat(found));
  sendEmpty(call, 200);
}

async function read(call: Call): Promise<void> {
  const found = await call.backends.archives.read(parameter(call, 'id'), path(call));
  await sendStream(call, 'application/x-tar', found.body, { [statHeader]: encodeStat(found.stat) });
}

async function write(call: Call): Promise<void> {
  const options = {
    path: path(call),
    noOverwriteDirNonDir: flag(call.query, 'noOverwriteDirNonDir'),
    copyUidGid: flag(call.query, 'copyUIDGID'),
  };
  await call.backends.archives.write(parameter(call, 'id'), options, bodyStream(call));
  sendEmpty(call, 200);
}

async function exportAll(call: Call): Promise<void> {
  await sendStream(call, 'application/octet-stream', await call.backends.archives.export(parameter(call, 'id')));
}
