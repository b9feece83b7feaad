/** `/containerLogs`: a container's output as plain text. */
import type { ServerResponse } from 'node:http';
import type { LogEntry, LogOptions } from '#core/logs/types.ts';
import { drained } from '#lib/drained.ts';
import { Fault } from '#lib/errors.ts';
import type { NodeContext } from '../types.ts';
import { findAttempt, findPod } from './target.ts';
import type { PodLookup } from './target.ts';

const nanos = 1_000_000_000n;

export async function serveLogs(node: NodeContext, pods: PodLookup, place: { namespace: string; pod: string; container: string }, query: URLSearchParams, response: ServerResponse): Promise<void> {
  const target = findAttempt(node, findPod(pods, place.namespace, place.pod), place.container, isTrue(query, 'previous'));
  const { id } = target.attempt;
  const path = node.core.containers.get(id)?.logPath;
  if (path === undefined) throw new Fault('not-found', `container ${place.container} has no log`);
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const options = optionsOf(query, node.clock.now());
  if (isTrue(query, 'follow')) options.follow = { ended: node.core.containers.wait(id, gone.signal), signal: gone.signal };
  let left = query.has('limitBytes') ? Number(query.get('limitBytes')) : Infinity;
  response.writeHead(200, { 'content-type': 'text/plain' });
  response.flushHeaders();
  const stamp = isTrue(query, 'timestamps') ? new Stamper() : undefined;
  for await (const entry of node.core.logs.read(path, options)) {
    const whole = stamp ? stamp.text(entry) : entry.data;
    const data = whole.subarray(0, left);
    left -= data.length;
    if (!response.write(data)) await drained(response);
    if (left <= 0 || gone.signal.aborted) break;
  }
  response.end();
}

function isTrue(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value === 'true' || value === '1';
}

function optionsOf(query: URLSearchParams, now: number): LogOptions {
  const options: LogOptions = {};
  const tail = query.get('tailLines');
  const seconds = query.get('sinceSeconds');
  const time = query.get('sinceTime');
  if (tail !== null) options.tail = wholeNumber('tailLines', tail);
  if (seconds !== null) options.since = BigInt(now - wholeNumber('sinceSeconds', seconds) * 1000) * 1_000_000n;
  if (time !== null) {
    const ms = Date.parse(time);
    if (Number.isNaN(ms)) throw new Fault('invalid', `sinceTime ${time} is not a time in RFC 3339`);
    options.since = BigInt(ms) * 1_000_000n;
  }
  const stream = query.get('stream');
  if (stream === 'Stdout') options.stderr = false;
  if (stream === 'Stderr') options.stdout = false;
  return options;
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new Fault('invalid', `${name} must be a whole number, not ${text}`);
  return value;
}

/** Puts the time before each line. */
class Stamper {
  #lineStart = true;

  text(entry: LogEntry): Buffer {
    const stamp = this.#lineStart ? Buffer.from(`${stampOf(entry.time)} `) : Buffer.alloc(0);
    this.#lineStart = entry.data.at(-1) === 0x0a;
    return Buffer.concat([stamp, entry.data]);
  }
}

/** RFC 3339 with nanoseconds. */
function stampOf(time: bigint): string {
  const seconds = new Date(Number(time / nanos) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(time % nanos).padStart(9, '0')}Z`;
}
