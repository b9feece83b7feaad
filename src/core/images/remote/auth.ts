import type { Clock } from '#lib/clock.ts';
import { monotonicMs } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import { isSuccess } from '#lib/http-client.ts';
import type { HttpAnswer, HttpTransport } from '#lib/http-client.ts';
import type { RegistryAuth } from '../types.ts';
import { readBody } from './body.ts';
import { checkLed } from './endpoints.ts';
import { networkFault } from './errors.ts';
import { registryLimits } from './limits.ts';

export interface TokenOptions {
  transport: HttpTransport;
  clock: Clock;
  auth: RegistryAuth | undefined;
  scopes: string[];
  /** Asks for a token that stands for the password from now on, too. */
  wantsIdentity?: boolean;
}

/** As token servers know this client. */
const clientId = 'gantry';

/** Milliseconds that a token counts as valid where its server does not say; the specification's 60 s. */
const tokenMs = 60_000;

/** The `Authorization` of requests to one registry: found out from its challenge, renewed by the next one. */
export class TokenSource {
  readonly #options: TokenOptions;
  /** What a server gave that stands for the password, where it was asked for. */
  identityToken: string | undefined;
  #header: { value: string; until: number } | undefined;

  constructor(options: TokenOptions) {
    this.#options = options;
    const token = options.auth?.registryToken;
    if (token) this.#header = { value: `Bearer ${token}`, until: Number.POSITIVE_INFINITY };
  }

  header(): string | undefined {
    return this.#header && monotonicMs(this.#options.clock) < this.#header.until ? this.#header.value : undefined;
  }

  addScope(scope: string): void {
    if (this.#options.scopes.includes(scope)) return;
    this.#options.scopes.push(scope);
    this.#header = undefined;
  }

  /** Answers a challenge; false where nothing new can be said. */
  async answer(challenge: string, registry: URL, signal?: AbortSignal): Promise<boolean> {
    const { scheme, fields } = parseChallenge(challenge);
    const { auth } = this.#options;
    if (scheme === 'basic') {
      if (!auth?.username || this.#header !== undefined) return false;
      this.#header = { value: basic(auth), until: Number.POSITIVE_INFINITY };
      return true;
    }
    if (scheme !== 'bearer' || fields.realm === undefined) return false;
    const realm = URL.canParse(fields.realm) ? new URL(fields.realm) : undefined;
    // Credentials go to the realm: it has to be as well protected as the registry.
    if (!realm) throw new Fault('invalid', `${registry.host} asks for a token from ${JSON.stringify(fields.realm.slice(0, 200))}, which is no address`);
    checkLed(registry, realm);
    const { token, seconds, identity } = await this.#request(realm, fields, signal);
    this.identityToken = identity;
    const life = seconds === undefined ? tokenMs : Math.max(tokenMs, seconds * 1000);
    // A little early, so that it does not expire on its way.
    this.#header = { value: `Bearer ${token}`, until: monotonicMs(this.#options.clock) + life - 5000 };
    return true;
  }

  async #request(realm: URL, fields: Record<string, string>, signal?: AbortSignal): Promise<Token> {
    const { auth, scopes, transport, wantsIdentity } = this.#options;
    const query = new URLSearchParams();
    if (fields.service !== undefined) query.set('service', fields.service);
    let response: HttpAnswer;
    try {
      if (auth?.identityToken) {
        query.set('grant_type', 'refresh_token');
        query.set('refresh_token', auth.identityToken);
        query.set('client_id', clientId);
        query.set('scope', scopes.join(' '));
        const headers = { 'content-type': 'application/x-www-form-urlencoded' };
        response = await transport({ method: 'POST', url: realm, headers, body: Buffer.from(query.toString()), signal });
      } else {
        for (const scope of scopes) query.append('scope', scope);
        if (auth?.username) query.set('account', auth.username);
        if (wantsIdentity) {
          query.set('client_id', clientId);
          query.set('offline_token', 'true');
        }
        const url = new URL(realm);
        for (const [key, value] of query) url.searchParams.append(key, value);
        response = await transport({ method: 'GET', url, headers: auth?.username ? { authorization: basic(auth) } : {}, signal });
      }
      if (response.status >= 300 && response.status < 400) throw new Error('it redirects, which is not followed for a token');
    } catch (error) {
      throw networkFault(error, 'GET', realm, signal);
    }
    const body = await readBody(response, registryLimits.errorBytes, this.#options.clock);
    if (!isSuccess(response)) {
      const kind = response.status >= 500 || response.status === 429 ? 'unavailable' : 'unauthenticated';
      throw new Fault(kind, `unauthorized: ${realm.host} gave no token (${response.status}); check the user name and password`, { details: { code: 'UNAUTHORIZED' } });
    }
    return parseToken(body, realm);
  }
}

/** `Bearer realm="…",service="…"` in parts; the scheme in lower case. */
export function parseChallenge(header: string): { scheme: string; fields: Record<string, string> } {
  const scheme = (/^[A-Za-z]+/.exec(header)?.[0] ?? '').toLowerCase();
  const fields: Record<string, string> = {};
  for (const match of header.slice(scheme.length).matchAll(/([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g)) {
    fields[match[1]!.toLowerCase()] = match[2] === undefined ? match[3]! : match[2].replaceAll(/\\(.)/g, '$1');
  }
  return { scheme, fields };
}

interface Token {
  token: string;
  seconds?: number;
  identity?: string;
}

function parseToken(body: Buffer, realm: URL): Token {
  try {
    const value = JSON.parse(body.toString('utf8')) as Record<string, unknown>;
    const token = value.token || value.access_token;
    if (typeof token === 'string' && !/^[\x21-\x7e]+$/.test(token)) throw new Fault('invalid', `${realm.host} gave a token that no header can hold`);
    const { expires_in: seconds, refresh_token: identity } = value;
    if (typeof token === 'string') return { token, ...(typeof seconds === 'number' ? { seconds } : {}), ...(typeof identity === 'string' ? { identity } : {}) };
  } catch (error) {
    if (error instanceof Fault) throw error;
    // The same fault as for a document without a token.
  }
  throw new Fault('invalid', `${realm.host} answered the request for a token with something else`);
}

function basic(auth: RegistryAuth): string {
  return `Basic ${Buffer.from(`${auth.username ?? ''}:${auth.password ?? ''}`).toString('base64')}`;
}
