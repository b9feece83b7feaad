import { Fault } from '#lib/errors.ts';
import type { LogChunk } from '#api/docker/calls.ts';
import type { Call } from '../call.ts';
import { parameter, skipJsonBody } from '../call.ts';
import { frame } from '../frames.ts';
import { hijack } from '../hijack.ts';
import { BatchedBody, sendJsonLines } from '../progress.ts';
import { flag, text, timestamp } from '../query.ts';
import type { Route } from '../router.ts';

export const containerStreamRoutes: readonly Route[] = [
  { method: 'POST', path: '/containers/{id}/attach', handle: attach },
  { method: 'GET', path: '/containers/{id}/logs', handle: logs },
  { method: 'GET', path: '/containers/{id}/stats', handle: stats },
];

async function attach(call: Call): Promise<void> {
  const options = {
    stream: flag(call.query, 'stream'),
    stdin: flag(call.query, 'stdin'),
    stdout: flag(call.query, 'stdout'),
    stderr: flag(call.query, 'stderr'),
    logs: flag(call.query, 'logs'),
    detachKeys: text(call.query, 'detachKeys'),
  };
  // some clients send the query's options once more, as a body
  await skipJsonBody(call);
  const { tty, streams } = await call.backends.containers.attach(parameter(call, 'id'), options);
  await hijack(call, streams, { ...options, tty });
}

async function logs(call: Call): Promise<void> {
  const stdout = flag(call.query, 'stdout');
  const stderr = flag(call.query, 'stderr');
  if (!stdout && !stderr) throw new Fault('invalid', 'Bad parameters: you must choose at least one stream');
  const options = {
    stdout,
    stderr,
    follow: flag(call.query, 'follow'),
    since: timestamp(call.query, 'since'),
    until: timestamp(call.query, 'until'),
    tail: tailLines(call),
  };
  const { tty, entries } = await call.backends.containers.logs(parameter(call, 'id'), options, call.signal);
  const type = tty || call.version < 42 ? 'raw-stream' : 'multiplexed-stream';
  call.response.writeHead(200, { 'Content-Type': `application/vnd.docker.${type}` });
  call.response.flushHeaders();
  const show = { tty, timestamps: flag(call.query, 'timestamps'), details: flag(call.query, 'details') };
  await writeEntries(call, entries, show);
}

/** `tail=all`, absent or not a number: all. */
function tailLines(call: Call): number | undefined {
  const raw = text(call.query, 'tail');
  return /^\d+$/.test(raw) ? Number(raw) : undefined;
}

async function writeEntries(call: Call, entries: AsyncIterable<LogChunk>, show: { tty: boolean; timestamps: boolean; details: boolean }): Promise<void> {
  const body = new BatchedBody(call);
  try {
    for await (const entry of entries) {
      if (call.response.destroyed) return;
      const prefix = `${show.timestamps ? `${nanoTime(entry.time)} ` : ''}${show.details ? ' ' : ''}`;
      const data = prefix === '' ? entry.data : Buffer.concat([Buffer.from(prefix), entry.data]);
      await body.write(show.tty ? data : frame(entry.stream, data));
    }
  } catch (error) {
    if (!call.signal.aborted) throw error;
  }
  body.end();
}

/** RFC 3339 with nine decimals. */
function nanoTime(nanos: bigint): string {
  const seconds = new Date(Number(nanos / 1_000_000n)).toISOString().slice(0, 19);
  return `${seconds}.${String(nanos % 1_000_000_000n).padStart(9, '0')}Z`;
}

async function stats(call: Call): Promise<void> {
  const options = { stream: flag(call.query, 'stream', true), oneShot: flag(call.query, 'one-shot') };
  if (options.stream && options.oneShot) throw new Fault('invalid', 'cannot have stream=true and one-shot=true');
  await sendJsonLines(call, await call.backends.containers.stats(parameter(call, 'id'), options, call.signal));
}
