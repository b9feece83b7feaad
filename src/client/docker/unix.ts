/** Docker's API over a unix socket. */
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { Duplex } from 'node:stream';
import { Fault, codeOf, messageOf } from '#lib/errors.ts';
import { Agent, request as httpRequest } from '#lib/node-http.ts';
import type { DockerAnswer, DockerRequest, DockerTransport, QueryValue } from './types.ts';

/** Connections that are kept open between requests. */
const idleConnections = 8;

export function unixTransport(socketPath: string): DockerTransport {
  const agent = new Agent({ keepAlive: true, maxFreeSockets: idleConnections });
  const send = (request: DockerRequest, upgrade: boolean): ClientRequest => {
    const { headers, payload } = encodeBody(request);
    const sent = httpRequest({
      socketPath,
      method: request.method,
      path: `${request.path}${encodeQuery(request.query ?? {})}`,
      headers: { Host: 'docker', ...headers, ...request.headers, ...(upgrade ? { Connection: 'Upgrade', Upgrade: 'tcp' } : {}) },
      ...(upgrade ? { agent: false } : { agent }),
      ...(request.signal ? { signal: request.signal } : {}),
    });
    if (payload instanceof Readable) {
      // an answer may come, and end, before the body was taken
      payload.on('error', (error) => sent.destroy(error));
      payload.pipe(sent);
    } else sent.end(payload);
    return sent;
  };
  return {
    request: (request) =>
      new Promise((resolve, reject) => {
        const sent = send(request, false);
        sent.on('response', (answer) => resolve(toAnswer(answer)));
        sent.on('error', (error) => reject(asFailure(error, socketPath)));
      }),
    upgrade: (request) =>
      new Promise<Duplex>((resolve, reject) => {
        const sent = send(request, true);
        sent.on('upgrade', (_answer, socket, head) => {
          if (head.length > 0) socket.unshift(head);
          resolve(socket);
        });
        sent.on('response', (answer) => void failureOf(toAnswer(answer)).then(reject, reject));
        sent.on('error', (error) => reject(asFailure(error, socketPath)));
      }),
    close: () => agent.destroy(),
  };
}

function encodeBody(request: DockerRequest): { headers: Record<string, string>; payload: Readable | Uint8Array | undefined } {
  const { body } = request;
  if (body === undefined) return { headers: {}, payload: undefined };
  if (body instanceof Readable) return { headers: { 'Content-Type': 'application/x-tar' }, payload: body };
  if (body instanceof Uint8Array) return { headers: { 'Content-Type': 'application/x-tar', 'Content-Length': String(body.length) }, payload: body };
  const payload = Buffer.from(JSON.stringify(body));
  return { headers: { 'Content-Type': 'application/json', 'Content-Length': String(payload.length) }, payload };
}

function encodeQuery(query: Readonly<Record<string, QueryValue>>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    if (Array.isArray(value)) for (const item of value as readonly string[]) parameters.append(name, item);
    else parameters.append(name, typeof value === 'object' ? JSON.stringify(value) : value === true ? '1' : value === false ? '0' : String(value));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}

function toAnswer(answer: IncomingMessage): DockerAnswer {
  const headers = Object.fromEntries(Object.entries(answer.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]));
  return { status: answer.statusCode ?? 0, headers, body: answer };
}

function asFailure(error: Error, socketPath: string): Fault {
  if (error instanceof Fault) return error;
  const code = codeOf(error);
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return new Fault('unavailable', `cannot connect to the engine at ${socketPath}: is it running? Start it with: gantry up`, { cause: error });
  }
  if (code === 'EACCES') return new Fault('forbidden', `permission denied on ${socketPath}: run as root`, { cause: error });
  if (error.name === 'AbortError') return new Fault('canceled', 'the request was given up', { cause: error });
  return new Fault('unavailable', `the connection to the engine at ${socketPath} broke: ${messageOf(error)}`, { cause: error });
}

/** Bytes of an error's body that are read. */
const errorLimit = 64 * 1024;

const kindOfStatus: Record<number, Fault['kind']> = {
  304: 'not-modified',
  400: 'invalid',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not-found',
  409: 'conflict',
  413: 'too-large',
  501: 'not-implemented',
  503: 'unavailable',
};

/** What an answer that is no success says. */
export async function failureOf(answer: DockerAnswer): Promise<Fault> {
  let text = '';
  for await (const chunk of answer.body) {
    if (text.length < errorLimit) text += String(chunk);
  }
  const message = /"message":\s*("(?:[^"\\]|\\.)*")/.exec(text)?.[1];
  const shown = message === undefined ? text.trim() : (JSON.parse(message) as string);
  return new Fault(kindOfStatus[answer.status] ?? 'internal', shown || `the engine answered ${answer.status}`, { details: { status: answer.status } });
}
