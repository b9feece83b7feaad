import { KeyedMutex } from '#lib/async.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault, codeOf, isFault, messageOf } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { Random } from '#lib/random.ts';
import type { RegistryAuth } from '../types.ts';
import { TokenSource } from './auth.ts';
import { readBody } from './body.ts';
import { endpointsOf, refuseInward } from './endpoints.ts';
import type { Endpoint, EndpointOptions } from './endpoints.ts';
import { registryFault } from './errors.ts';

export interface RegistryOptions extends EndpointOptions {
  /** HTTP; Node's where it is not given. */
  fetch?: typeof fetch;
}

export const registryLimits = {
  /** Redirects followed for one request. */
  redirects: 5,
  /** Bytes of an error body or a token that are read. */
  errorBytes: 64 * 1024,
  /** Attempts at one transfer. */
  attempts: 5,
  /** Milliseconds until the second attempt; doubled from then on, up to `retryMostMs`. */
  retryFirstMs: 300,
  retryMostMs: 5000,
  /** Milliseconds until an answer to what has no body begins. */
  answerMs: 60_000,
  /** Layers of one image transferred at the same time. */
  parallel: 3,
} as const;

export interface RegistryRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH';
  /** Below `/v2/<repository>/`, or a whole URL that the registry gave. */
  target: string | URL;
  headers?: Record<string, string>;
  body?: Uint8Array | ReadableStream<Uint8Array>;
  signal?: AbortSignal;
}

export interface ClientParts extends RegistryOptions {
  clock: Clock;
  random: Random;
  log: Logger;
}

/** Speaks the distribution API. Makes a `Repository` for each image and use. */
export class RegistryClient {
  readonly parts: ClientParts;
  /** One download of a blob at a time: a second pull that needs it waits, and then has it. */
  readonly downloads = new KeyedMutex();

  constructor(parts: ClientParts) {
    this.parts = parts;
  }

  /** The places to read a repository from, mirrors first; for writing (`push`), its own registry alone. */
  repositories(domain: string, path: string, auth: RegistryAuth | undefined, access: 'pull' | 'push'): Repository[] {
    const endpoints = endpointsOf(domain, this.parts).filter((endpoint) => access === 'pull' || !endpoint.isMirror);
    // Credentials are the registry's own: a mirror does not get them.
    return endpoints.map((endpoint) => new Repository(this.parts, endpoint, path, access, endpoint.isMirror ? undefined : auth));
  }
}

/** One repository at one endpoint, with its authorization. */
export class Repository {
  readonly endpoint: Endpoint;
  readonly path: string;
  readonly #parts: ClientParts;
  readonly #fetch: typeof fetch;
  readonly #tokens: TokenSource;

  constructor(parts: ClientParts, endpoint: Endpoint, path: string, access: 'pull' | 'push', auth: RegistryAuth | undefined) {
    this.endpoint = endpoint;
    this.path = path;
    this.#parts = parts;
    this.#fetch = parts.fetch ?? fetch;
    this.#tokens = new TokenSource({ fetch: this.#fetch, clock: parts.clock, auth, scopes: [`repository:${path}:${access === 'push' ? 'pull,push' : 'pull'}`] });
  }

  url(target: string): URL {
    return new URL(`/v2/${this.path}/${target}`, this.endpoint.url);
  }

  /** Also asks for `path`, to mount blobs from there. */
  alsoPull(path: string): void {
    this.#tokens.addScope(`repository:${path}:pull`);
  }

  /** Sends a request, authorizing where asked; an answer that is no success is a fault with the registry's words. */
  async send(request: RegistryRequest): Promise<Response> {
    let response = await this.#once(request);
    if (response.status === 401 && !(request.body instanceof ReadableStream)) {
      const challenge = response.headers.get('www-authenticate');
      await response.body?.cancel();
      if (challenge === null || !(await this.#tokens.answer(challenge, this.endpoint.url, request.signal))) throw unauthorized(this.endpoint);
      response = await this.#once(request);
    }
    if (response.ok || response.status === 304) return response;
    throw await registryFault(response, this.endpoint, this.#parts.clock);
  }

  /** A whole small body; over `limitBytes`: `too-large`. */
  document(response: Response, limitBytes: number): Promise<Buffer> {
    return readBody(response, limitBytes, this.#parts.clock);
  }

  /** `work`, again after failures that may pass. */
  async retrying<T>(what: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    let wait: number = registryLimits.retryFirstMs;
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (signal?.aborted) throw new Fault('canceled', `${what} was canceled`, { cause: error });
        const mayPass = isFault(error, 'unavailable', 'timeout') && error.details.isFinal !== true;
        if (attempt >= registryLimits.attempts || !mayPass) throw error;
        this.#parts.log.info('trying a transfer again', { what, attempt, error: messageOf(error) });
        await this.#parts.clock.sleep(wait + this.#parts.random.int(100), signal);
        wait = Math.min(wait * 2, registryLimits.retryMostMs);
      }
    }
  }

  async #once(request: RegistryRequest): Promise<Response> {
    let url = typeof request.target === 'string' ? this.url(request.target) : request.target;
    for (let hops = 0; ; hops++) {
      const response = await this.#fetchOne(request, url);
      const location = response.headers.get('location');
      const isRedirect = [301, 302, 303, 307, 308].includes(response.status) && location !== null;
      if (!isRedirect || (request.method !== 'GET' && request.method !== 'HEAD')) return response;
      await response.body?.cancel();
      if (hops >= registryLimits.redirects) throw new Fault('invalid', `${url.host} redirects more than ${registryLimits.redirects} times`);
      const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
      if (!next) throw new Fault('invalid', `${url.host} redirects to ${JSON.stringify(location.slice(0, 200))}, which is no address`);
      if (next.protocol !== 'https:' && next.protocol !== this.endpoint.url.protocol) throw new Fault('invalid', `${url.host} redirects to ${next.protocol}//${next.host}, which is not secure`);
      refuseInward(this.endpoint.url, next);
      url = next;
    }
  }

  async #fetchOne(request: RegistryRequest, url: URL): Promise<Response> {
    const authorization = url.host === this.endpoint.url.host ? this.#tokens.header() : undefined;
    const late = new AbortController();
    const timer = request.body === undefined ? this.#parts.clock.after(registryLimits.answerMs, () => late.abort(new Fault('unavailable', `${url.host} did not answer within ${registryLimits.answerMs / 1000} s`))) : undefined;
    try {
      return await this.#fetch(url, {
        method: request.method,
        headers: { ...fixedHeaders, ...request.headers, ...(authorization === undefined ? {} : { authorization }) },
        redirect: 'manual',
        signal: request.signal ? AbortSignal.any([request.signal, late.signal]) : late.signal,
        ...(request.body === undefined ? {} : { body: request.body as RequestInit['body'], duplex: 'half' }),
      });
    } catch (error) {
      throw networkFault(error, request.method, url, request.signal);
    } finally {
      timer?.cancel();
    }
  }
}

/** Bodies as they are stored: what is compressed on its way has neither the size nor the ranges that were asked for. */
const fixedHeaders = { 'accept-encoding': 'identity', 'user-agent': 'gantry' } as const;

/** Codes of failures in the middle of things, which another attempt may not meet; a refused connection is not one. */
const brokenOff: readonly string[] = ['ECONNRESET', 'EPIPE', 'EAI_AGAIN', 'UND_ERR_SOCKET', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'];

/** What failed below HTTP, in the words of Docker's clients. */
export function networkFault(error: unknown, method: string, url: URL, signal?: AbortSignal): Fault {
  if (error instanceof Fault) return error;
  if (signal?.aborted) return new Fault('canceled', `${method} ${url.origin}: canceled`, { cause: error });
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const verb = method.charAt(0) + method.slice(1).toLowerCase();
  const isFinal = !brokenOff.includes(codeOf(cause) ?? '');
  return new Fault('unavailable', `${verb} "${url.origin}${url.pathname}": ${messageOf(cause) || 'the connection failed'}`, { cause: error, details: { isFinal } });
}

function unauthorized(endpoint: Endpoint): Fault {
  return new Fault('unauthenticated', `unauthorized: authentication required by ${endpoint.url.host}; run 'docker login' first`);
}
