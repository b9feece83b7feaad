/** The Kubernetes client over HTTPS. */
import { once } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { KubeObject, Status } from '#api/kube/types.ts';
import { Fault, messageOf } from '#lib/errors.ts';
import type { KubeAccess } from './kubeconfig.ts';
import { faultOfStatus } from './faults.ts';
import { lines } from './lines.ts';
import { resourcePath } from './resources.ts';
import type { KubeClient, KubeList, ListOptions, Patch, ResourceRef, WatchEvent, WatchOptions, WriteOptions } from './types.ts';

/** Connections that one client keeps at most. */
const mostSockets = 64;
const keepAliveMs = 30_000;
/** The largest answer that is read whole, in bytes. */
const answerLimitBytes = 512 * 1024 * 1024;

const patchTypes: Record<Patch['type'], string> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

interface Call {
  method: string;
  path: string;
  query?: Record<string, string | number | boolean | undefined>;
  body?: unknown;
  contentType?: string;
  signal?: AbortSignal;
}

export interface HttpKubeClient extends KubeClient {
  /** Closes what is kept open; requests under way fail. */
  close(): void;
}

export interface HttpClientOptions extends KubeAccess {
  /** Names the program in `User-Agent`; managed fields go under it. */
  userAgent?: string;
}

export function httpKubeClient(options: HttpClientOptions): HttpKubeClient {
  const transport = new Transport(options);
  const write = <T>(method: string, ref: ResourceRef, name: string, body: unknown, given: WriteOptions, namespace?: string): Promise<T> =>
    transport.json<T>({
      method,
      path: resourcePath(ref, { namespace, name, subresource: given.subresource }),
      query: { fieldManager: given.fieldManager, dryRun: given.dryRun ? 'All' : undefined },
      body,
      signal: given.signal,
    });
  const metadataOf = (object: unknown): KubeObject['metadata'] => (object as KubeObject).metadata ?? {};

  return {
    get: <T>(ref: ResourceRef, name: string, namespace?: string, given: { signal?: AbortSignal } = {}) =>
      transport.json<T>({ method: 'GET', path: resourcePath(ref, { namespace, name }), signal: given.signal }),

    list: <T>(ref: ResourceRef, given: ListOptions = {}) => {
      const { namespace, signal, ...query } = given;
      return transport.json<KubeList<T>>({ method: 'GET', path: resourcePath(ref, { namespace }), query, signal });
    },

    watch: <T>(ref: ResourceRef, given: WatchOptions) => {
      const { namespace, signal, ...query } = given;
      return watch<T>(transport, { method: 'GET', path: resourcePath(ref, { namespace }), query: { ...query, watch: true }, signal });
    },

    create: <T>(ref: ResourceRef, object: T, given: WriteOptions = {}) =>
      write<T>('POST', ref, given.subresource === undefined ? '' : (given.name ?? ''), object, given, given.namespace ?? metadataOf(object).namespace),

    update: <T>(ref: ResourceRef, object: T, given: WriteOptions = {}) =>
      write<T>('PUT', ref, given.name ?? metadataOf(object).name ?? '', object, given, given.namespace ?? metadataOf(object).namespace),

    patch: <T>(ref: ResourceRef, name: string, patch: Patch, given: WriteOptions & { namespace?: string } = {}) =>
      transport.json<T>({
        method: 'PATCH',
        path: resourcePath(ref, { namespace: given.namespace, name, subresource: given.subresource }),
        query: {
          fieldManager: given.fieldManager,
          dryRun: given.dryRun ? 'All' : undefined,
          force: patch.type === 'apply' ? patch.force : undefined,
        },
        body: patch.body,
        contentType: patchTypes[patch.type],
        signal: given.signal,
      }),

    delete: async (ref, name, given = {}) => {
      const { namespace, signal, ...body } = given;
      await transport.json({ method: 'DELETE', path: resourcePath(ref, { namespace, name }), body, signal });
    },

    request: <T>(method: string, path: string, body?: unknown, given: { signal?: AbortSignal; contentType?: string } = {}) =>
      transport.json<T>({ method, path, body, ...given }),

    stream: async (path, { signal }) => (await transport.open({ method: 'GET', path, signal })) as AsyncIterable<Uint8Array>,

    close: () => transport.close(),
  };
}

class Transport {
  readonly #options: HttpClientOptions;
  readonly #server: URL;
  readonly #agent: Agent;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    this.#server = new URL(options.server);
    const { ca, certificate: cert, key } = options;
    this.#agent = new Agent({ ca, cert, key, keepAlive: true, keepAliveMsecs: keepAliveMs, maxSockets: mostSockets });
  }

  close(): void {
    this.#agent.destroy();
  }

  async json<T>(call: Call): Promise<T> {
    const text = await readAll(await this.open(call));
    try {
      return JSON.parse(text) as T;
    } catch (error) {
      throw new Fault('unavailable', `the API server answered ${call.method} ${call.path} with something that is no JSON`, { cause: error });
    }
  }

  /** The answer, if it is a success; else throws what the Status in it says. */
  async open(call: Call): Promise<IncomingMessage> {
    const response = await this.#send(call);
    const code = response.statusCode ?? 0;
    if (code < 400) return response;
    throw faultOfStatus(code, await readAll(response));
  }

  async #send(call: Call): Promise<IncomingMessage> {
    const body = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body));
    const { token, userAgent = 'gantry' } = this.#options;
    const request: ClientRequest = httpsRequest(new URL(pathOf(call), this.#server), {
      method: call.method,
      agent: this.#agent,
      headers: {
        accept: 'application/json',
        'user-agent': userAgent,
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body && { 'content-type': call.contentType ?? 'application/json', 'content-length': body.length }),
      },
      signal: call.signal,
    });
    // Once the answer has begun, its own stream tells of failures.
    request.on('error', () => {});
    // A watch on a machine that vanished must end some time.
    request.on('socket', (socket) => socket.setKeepAlive(true, keepAliveMs));
    request.end(body);
    try {
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      return response;
    } catch (error) {
      throw failed(call, this.#server, error);
    }
  }
}

function failed(call: Call, server: URL, error: unknown): Fault {
  if (call.signal?.aborted) return new Fault('canceled', `${call.method} ${call.path} was cancelled`, { cause: error });
  return new Fault('unavailable', `the API server at ${server.origin} does not answer: ${messageOf(error)}`, { cause: error });
}

function pathOf({ path, query = {} }: Call): string {
  const entries = Object.entries(query).filter(([, value]) => value !== undefined && value !== '').map(([k, v]): [string, string] => [k, String(v)]);
  if (entries.length === 0) return path;
  return `${path}${path.includes('?') ? '&' : '?'}${new URLSearchParams(entries).toString()}`;
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > answerLimitBytes) throw new Fault('too-large', `the API server's answer is larger than ${answerLimitBytes} bytes; list with a limit`);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault('unavailable', `the API server broke off its answer: ${messageOf(error)}`, { cause: error });
  }
  return Buffer.concat(chunks).toString();
}

async function* watch<T>(transport: Transport, call: Call & { signal: AbortSignal }): AsyncGenerator<WatchEvent<T>> {
  try {
    for await (const line of lines(await transport.open(call))) {
      const event = JSON.parse(line) as WatchEvent<T> | { type: 'ERROR'; object: Status };
      if (event.type === 'ERROR') throw faultOfStatus(event.object.code ?? 500, JSON.stringify(event.object));
      yield event;
    }
  } catch (error) {
    if (call.signal.aborted) return;
    if (error instanceof Fault) throw error;
    throw new Fault('unavailable', `the watch of ${call.path} broke: ${messageOf(error)}`, { cause: error });
  }
}
