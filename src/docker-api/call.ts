/** One request, as a route's handler sees it: what was asked, and the ways to answer. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import type { Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '#lib/clock.ts';
import { Fault, messageOf } from '#lib/errors.ts';
import type { Backends } from './backends.ts';
import type { Fields } from './check.ts';
import { check } from './check.ts';
import { isObject } from './query.ts';

/** Bytes of a JSON body. */
export const jsonBodyLimit = 4 << 20;

export interface Call {
  request: IncomingMessage;
  response: ServerResponse;
  /** Set where the client asked to upgrade: its socket, with what followed the header put back in front. */
  upgrade: Duplex | undefined;
  params: Readonly<Record<string, string>>;
  query: URLSearchParams;
  /** Minor number of the API version. */
  version: number;
  backends: Backends;
  clock: Clock;
  /** Aborted when the client goes away before the answer ended. */
  signal: AbortSignal;
}

export function parameter(call: Call, name: string): string {
  return call.params[name] ?? '';
}

/** JSON as Go writes it: with <, > and & escaped, and a newline at the end. */
export function goJson(value: unknown): string {
  return `${JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`;
}

export function sendJson(call: Call, status: number, value: unknown): void {
  const body = Buffer.from(goJson(value));
  call.response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': body.length });
  call.response.end(call.request.method === 'HEAD' ? undefined : body);
}

export function sendEmpty(call: Call, status: number): void {
  call.response.writeHead(status, status === 204 || status === 304 ? {} : { 'Content-Length': 0 });
  call.response.end();
}

export function sendText(call: Call, status: number, text: string): void {
  call.response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': Buffer.byteLength(text) });
  call.response.end(call.request.method === 'HEAD' ? undefined : text);
}

/** Streams a body; one that fails midway breaks the connection, so that the client sees it is not whole. */
export async function sendStream(call: Call, contentType: string, body: Readable, headers: Record<string, string> = {}): Promise<void> {
  call.response.writeHead(200, { 'Content-Type': contentType, ...headers });
  await pipeline(body, call.response).catch((error: unknown) => {
    call.response.destroy(error instanceof Error ? error : undefined);
  });
}

/**
 * The body as a stream of bytes. Who stops reading it early, to refuse it, leaves the connection whole: the rest is passed
 * over, so that the client can finish sending and read why.
 */
export function bodyStream(call: Call): Readable {
  const { request } = call;
  const body = new PassThrough();
  request.pipe(body);
  // whoever reads it is told; where nobody does, the client that goes away must not end the daemon
  body.on('error', () => {});
  request.once('error', (error) => body.destroy(error));
  request.once('close', () => {
    if (!request.complete) body.destroy(new Fault('canceled', 'the client went away before its body was whole'));
  });
  body.once('close', () => {
    request.unpipe(body);
    request.resume();
  });
  return body;
}

/** The JSON object of the body; `{}` where there is none. */
export async function readJson(call: Call): Promise<Record<string, unknown>> {
  const raw = await readBody(call);
  if (raw.length === 0) return {};
  const type = (call.request.headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
  if (type !== 'application/json') {
    throw new Fault('invalid', `unsupported Content-Type header (${type}): must be 'application/json'`);
  }
  let value: unknown;
  try {
    value = JSON.parse(raw.toString('utf8'));
  } catch (error) {
    throw new Fault('invalid', `invalid JSON: ${messageOf(error)}`, { cause: error });
  }
  if (value === null) return {};
  if (!isObject(value)) throw new Fault('invalid', 'invalid JSON: the body must be an object');
  return value;
}

/** The JSON object of the body, of the shape `fields`. */
export async function readChecked<T>(call: Call, fields: Fields): Promise<T> {
  return check<T>(await readJson(call), fields);
}

/** Passes over a body that says nothing beyond the query, so that it is not taken for a process's input. */
export async function skipJsonBody(call: Call): Promise<void> {
  const isJson = (call.request.headers['content-type'] ?? '').startsWith('application/json');
  if (call.upgrade || isJson) await readBody(call);
}

async function readBody(call: Call): Promise<Buffer> {
  const length = call.request.headers['content-length'];
  const tooLarge = new Fault('too-large', `request body too large: the limit is ${jsonBodyLimit} bytes`);
  if (length !== undefined && Number(length) > jsonBodyLimit) throw tooLarge;
  if (call.upgrade) return readExactly(call.upgrade, Number(length ?? 0));
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of bodyStream(call) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > jsonBodyLimit) throw tooLarge;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** With an upgrade Node leaves the body on the socket: takes `count` bytes, and what follows stays there. */
async function readExactly(socket: Duplex, count: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let missing = count;
  while (missing > 0) {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) {
      if (socket.readableEnded || socket.destroyed) throw new Fault('invalid', 'invalid JSON: got EOF while reading request body');
      await readable(socket);
      continue;
    }
    chunks.push(chunk.subarray(0, missing));
    if (chunk.length > missing) socket.unshift(chunk.subarray(missing));
    missing -= Math.min(missing, chunk.length);
  }
  return Buffer.concat(chunks);
}

function readable(socket: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of ['readable', 'end', 'close', 'error']) socket.off(event, done);
      resolve();
    };
    for (const event of ['readable', 'end', 'close', 'error']) socket.on(event, done);
  });
}
