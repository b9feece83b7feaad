import { KeyedMutex } from '#lib/async.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault, isFault, messageOf } from '#lib/errors.ts';
import { createHttpTransport, isSuccess } from '#lib/http-client.ts';
import type { HttpAnswer, HttpTransport } from '#lib/http-client.ts';
import type { Logger } from '#lib/log.ts';
import type { Random } from '#lib/random.ts';
import type { RegistryAuth } from '../types.ts';
import { TokenSource } from './auth.ts';
import { readBody } from './body.ts';
import { checkLed, endpointsOf } from './endpoints.ts';
import type { Endpoint, EndpointOptions } from './endpoints.ts';
import { networkFault, registryFault } from './errors.ts';
import { registryLimits } from './limits.ts';

export interface RegistryOptions extends EndpointOptions {
  /** HTTP; the real one where it is not given. */
  transport?: HttpTransport;
}

export interface RegistryRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH';
  /** Below `/v2/<repository>/`, or a whole URL that the registry gave. */
  target: string | URL;
  headers?: Record<string, string>;
  body?: Uint8Array | AsyncIterable<Uint8Array>;
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
  readonly #transport: HttpTransport;

  constructor(parts: ClientParts) {
    this.parts = parts;
    this.#transport = parts.transport ?? createHttpTransport();
  }

  /** The places to read a repository from, mirrors first; for writing and for logging in, its own registry alone. */
  repositories(domain: string, path: string, auth: RegistryAuth | undefined, access: RepositoryPlace['access']): Repository[] {
    const endpoints = endpointsOf(domain, this.parts).filter((endpoint) => access === 'pull' || !endpoint.isMirror);
    // Credentials are the registry's own: a mirror does not get them.
    return endpoints.map((endpoint) => new Repository(this.parts, { endpoint, path, access, transport: this.#transport, ...(endpoint.isMirror ? {} : { auth }) }));
  }
}

export interface RepositoryPlace {
  endpoint: Endpoint;
  path: string;
  /** `login`: to no repository, but for a token that stands for the password. */
  access: 'pull' | 'push' | 'login';
  transport: HttpTransport;
  auth?: RegistryAuth;
  /** Added to each request's query: `ns`, by which a server of several registries' images is told which one is meant. */
  query?: Readonly<Record<string, string>>;
  /** Attempts at one transfer, and redirects followed; what registries get where it is not given. */
  attempts?: number;
  redirects?: number;
  /** How slow a transfer may be before it is given up; any slowness where it is not given. */
  slowest?: { bytesPerSecond: number; graceMs: number };
}

/** One repository at one endpoint, with its authorization. */
export class Repository {
  readonly endpoint: Endpoint;
  readonly path: string;
  readonly #parts: Pick<ClientParts, 'clock' | 'random' | 'log'>;
  readonly #place: RepositoryPlace;
  readonly #tokens: TokenSource;

  constructor(parts: Pick<ClientParts, 'clock' | 'random' | 'log'>, place: RepositoryPlace) {
    const { endpoint, path, access, transport, auth } = place;
    this.endpoint = endpoint;
    this.path = path;
    this.#parts = parts;
    this.#place = place;
    const scopes = access === 'login' ? [] : [`repository:${path}:${access === 'push' ? 'pull,push' : 'pull'}`];
    this.#tokens = new TokenSource({ transport, clock: parts.clock, auth, scopes, wantsIdentity: access === 'login' });
  }

  /** What it is called in messages. */
  get name(): string {
    return this.endpoint.name ?? this.endpoint.url.host;
  }

  get isPeer(): boolean {
    return this.endpoint.name !== undefined;
  }

  /** Milliseconds that a transfer may take; undefined: any time. */
  timeFor(bytes: number): number | undefined {
    const { slowest } = this.#place;
    return slowest && slowest.graceMs + (bytes / slowest.bytesPerSecond) * 1000;
  }

  url(target: string): URL {
    const url = new URL(`/v2/${this.path}/${target}`, this.endpoint.url);
    for (const [name, value] of Object.entries(this.#place.query ?? {})) url.searchParams.set(name, value);
    return url;
  }

  get identityToken(): string | undefined {
    return this.#tokens.identityToken;
  }

  /** Also asks for `path`, to mount blobs from there. */
  alsoPull(path: string): void {
    this.#tokens.addScope(`repository:${path}:pull`);
  }

  /** Sends a request, authorizing where asked; an answer that is no success is a fault with the registry's words. */
  async send(request: RegistryRequest): Promise<HttpAnswer> {
    const used = this.#tokens.header();
    let response = await this.#once(request);
    const canRepeat = request.body === undefined || request.body instanceof Uint8Array;
    if (response.status === 401 && canRepeat) {
      const challenge = response.headers['www-authenticate'];
      response.drop();
      // Another request, side by side with this one, may have answered it meanwhile.
      const isAnswered = this.#tokens.header() !== used || (challenge !== undefined && (await this.#tokens.answer(challenge, this.endpoint.url, request.signal)));
      if (!isAnswered) throw unauthorized(this.endpoint);
      response = await this.#once(request);
    }
    if (isSuccess(response) || response.status === 304) return response;
    throw await registryFault(response, this.endpoint, this.#parts.clock);
  }

  /** A whole small body; over `limitBytes`: `too-large`. */
  document(response: HttpAnswer, limitBytes: number): Promise<Buffer> {
    const { 'content-encoding': encoding = 'identity' } = response.headers;
    if (encoding !== 'identity') {
      response.drop();
      throw new Fault('invalid', `${response.url.host} compressed its answer (${encoding.slice(0, 50)}), though it was asked not to`);
    }
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
        if (attempt >= (this.#place.attempts ?? registryLimits.attempts) || !mayPass) throw error;
        this.#parts.log.info('trying a transfer again', { what, attempt, error: messageOf(error) });
        await this.#parts.clock.sleep(wait + this.#parts.random.int(100), signal);
        wait = Math.min(wait * 2, registryLimits.retryMostMs);
      }
    }
  }

  async #once(request: RegistryRequest): Promise<HttpAnswer> {
    const most = this.#place.redirects ?? registryLimits.redirects;
    let url = typeof request.target === 'string' ? this.url(request.target) : request.target;
    for (let hops = 0; ; hops++) {
      const response = await this.#sendOne(request, url);
      const { location } = response.headers;
      const isRedirect = [301, 302, 303, 307, 308].includes(response.status) && location !== undefined;
      if (!isRedirect || (request.method !== 'GET' && request.method !== 'HEAD')) return response;
      response.drop();
      if (hops >= most) throw new Fault('invalid', `${url.host} redirects more than ${most} times`);
      const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
      if (!next) throw new Fault('invalid', `${url.host} redirects to ${JSON.stringify(location.slice(0, 200))}, which is no address`);
      checkLed(this.endpoint.url, next);
      url = next;
    }
  }

  async #sendOne({ method, headers, body, signal }: RegistryRequest, url: URL): Promise<HttpAnswer> {
    const authorization = url.host === this.endpoint.url.host ? this.#tokens.header() : undefined;
    const all = { ...fixedHeaders, ...headers, ...(authorization === undefined ? {} : { authorization }) };
    const late = new AbortController();
    const timer = body === undefined ? this.#parts.clock.after(registryLimits.answerMs, () => late.abort()) : undefined;
    try {
      return await this.#place.transport({ method, url, headers: all, body, signal: signal ? AbortSignal.any([signal, late.signal]) : late.signal });
    } catch (error) {
      if (late.signal.aborted && !signal?.aborted) throw new Fault('unavailable', `${url.host} did not answer within ${registryLimits.answerMs / 1000} s`, { cause: error });
      throw networkFault(error, method, url, signal);
    } finally {
      timer?.cancel();
    }
  }
}

/** Bodies as they are stored: what is compressed on its way has neither the size nor the ranges that were asked for. */
const fixedHeaders = { 'accept-encoding': 'identity', 'user-agent': 'gantry' } as const;

function unauthorized(endpoint: Endpoint): Fault {
  return new Fault('unauthenticated', `unauthorized: authentication required by ${endpoint.url.host}; run 'docker login' first`);
}
