/**
 * HTTP/1.1 as a client, in pieces: what the built-in `fetch` cannot do. It forbids no port, takes a client certificate,
 * has limits of time that its user sets, and follows no redirect. Over `node:http`, which is loaded for servers anyway.
 */
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import type { Socket } from 'node:net';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { codeOf, Fault, messageOf } from './errors.ts';
import { Agent, request as httpRequest } from './node-http.ts';

export interface HttpCall {
  method: string;
  url: URL;
  headers?: Readonly<Record<string, string>>;
  body?: Uint8Array | AsyncIterable<Uint8Array>;
  signal?: AbortSignal;
}

export interface HttpAnswer {
  url: URL;
  status: number;
  /** The words beside the status. */
  reason: string;
  /** By lower-case name. */
  headers: Readonly<Record<string, string | undefined>>;
  /** Read it to its end, or leave it early, or `drop` it: else its connection is held. */
  body: AsyncIterable<Uint8Array>;
  drop(): void;
  /** Breaks it off where it stands: reading fails. */
  destroy(): void;
}

/** Sends one request; rejects where no answer comes, with the error of the system or a `timeout` fault. */
export type HttpTransport = (call: HttpCall) => Promise<HttpAnswer>;

export interface HttpTransportOptions {
  /** PEM. What servers are checked by, in the place of the system's authorities; and the client's own certificate. */
  tls?: { ca?: string; cert?: string; key?: string };
  /** Whether connections are kept for later requests; default true. */
  keepAlive?: boolean;
  /** Milliseconds until a connection stands; default 10 s. */
  connectMs?: number;
  /** Milliseconds in which nothing is sent or received, after which a request fails; default 5 min. */
  idleMs?: number;
}

/** Connections to one host that are kept for later requests. */
const keptSockets = 8;

/** A transport with connections of its own; those that are idle keep no process alive. */
export function createHttpTransport(options: HttpTransportOptions = {}): HttpTransport {
  const kept = { keepAlive: options.keepAlive ?? true, maxFreeSockets: keptSockets };
  const plain = new Agent(kept);
  const secure = new HttpsAgent({ ...kept, ...options.tls });
  const limits = { connectMs: options.connectMs ?? 10_000, idleMs: options.idleMs ?? 300_000 };
  const send = async (call: HttpCall, isSecond = false): Promise<HttpAnswer> => {
    const isSecure = call.url.protocol === 'https:';
    const sent = begin(call, isSecure ? { agent: secure } : { agent: plain }, isSecure ? httpsRequest : httpRequest);
    try {
      return answerOf(call, await exchange(call, sent, limits));
    } catch (error) {
      // A kept connection that its server closed meanwhile: nobody has seen the request.
      const wasClosed = sent.reusedSocket && codeOf(error) === 'ECONNRESET' && !call.signal?.aborted;
      if (wasClosed && !isSecond && !isStream(call.body)) return send(call, true);
      throw error;
    }
  };
  return (call) => send(call);
}

export function isSuccess(answer: HttpAnswer): boolean {
  return answer.status >= 200 && answer.status < 300;
}

/** What a failed connection says; one to several addresses fails with a list. */
export function connectionMessage(error: unknown): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  return messageOf(first) || codeOf(error) || 'the connection failed';
}

function begin(call: HttpCall, options: RequestOptions, request: typeof httpRequest): ClientRequest {
  const length = call.body === undefined || isStream(call.body) ? {} : { 'content-length': String(call.body.length) };
  return request(call.url, { ...options, method: call.method, headers: { ...length, ...call.headers }, signal: call.signal });
}

async function exchange(call: HttpCall, sent: ClientRequest, limits: { connectMs: number; idleMs: number }): Promise<IncomingMessage> {
  limitTime(call, sent, limits);
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    sent.once('response', resolve);
    // Later errors are told by the answer's own stream.
    sent.on('error', reject);
  });
  if (isStream(call.body)) {
    pipeline(Readable.from(call.body, { objectMode: false }), sent).catch((error: unknown) => sent.destroy(error instanceof Error ? error : undefined));
  } else sent.end(call.body);
  return response;
}

function limitTime(call: HttpCall, sent: ClientRequest, { connectMs, idleMs }: { connectMs: number; idleMs: number }): void {
  sent.once('socket', (socket: Socket) => {
    const isNew = socket.connecting;
    socket.setTimeout(isNew ? connectMs : idleMs);
    if (isNew) socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => socket.setTimeout(idleMs));
    const onTimeout = (): void => {
      socket.destroy(new Fault('timeout', `${call.url.host} did not go on within ${(socket.timeout ?? idleMs) / 1000} s`));
    };
    socket.on('timeout', onTimeout);
    // The socket may serve another request next.
    sent.once('close', () => socket.off('timeout', onTimeout));
  });
}

/** Bytes of a body that is read to its end rather than its connection lost. */
const smallBytes = 64 * 1024;

function answerOf({ url, method }: HttpCall, response: IncomingMessage): HttpAnswer {
  const headers: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(response.headers)) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  return {
    url,
    status: response.statusCode ?? 0,
    reason: response.statusMessage ?? '',
    headers,
    body: response as AsyncIterable<Uint8Array>,
    destroy: () => void response.destroy(),
    drop() {
      response.on('error', () => {});
      if (method === 'HEAD' || Number(response.headers['content-length'] ?? Infinity) <= smallBytes) response.resume();
      else response.destroy();
    },
  };
}

function isStream(body: HttpCall['body']): body is AsyncIterable<Uint8Array> {
  return body !== undefined && Symbol.asyncIterator in body;
}
