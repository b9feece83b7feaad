/**
 * Service-account tokens: JWTs that this server signs (TokenRequest) and takes as proof. A token ends by its time, and
 * earlier when what it is bound to (its service account, its pod, its secret) is gone or another one by that name.
 */
import type { JWTPayload } from 'jose';
import { SignJWT } from 'jose/jwt/sign';
import { jwtVerify } from 'jose/jwt/verify';
import type { Clock } from '#lib/clock.ts';
import type { Random } from '#lib/random.ts';
import { unauthorized } from '../status.ts';
import type { ServiceAccountKeys } from '../pki/service-account-keys.ts';
import type { User } from '../types.ts';

export interface Bound {
  name: string;
  uid: string;
}

export interface TokenClaims {
  namespace: string;
  serviceaccount: Bound;
  pod?: Bound;
  node?: Bound;
  secret?: Bound;
  /** Milliseconds since 1970, after which holders should ask for a new one. */
  warnafter?: number;
}

export interface TokenAuthority {
  issue(claims: TokenClaims, audiences: readonly string[], seconds: number): Promise<{ token: string; expiresMs: number }>;
  /** The user a token proves, and the audiences that it and `accepted` share; `unauthenticated` where it proves nothing. */
  verify(token: string, accepted: readonly string[]): Promise<{ user: User; audiences: string[] }>;
}

export interface TokenAuthorityOptions {
  keys: ServiceAccountKeys;
  issuer: string;
  clock: Clock;
  random: Random;
  /** The uid of the object of that kind, where it exists. */
  uidOf(kind: 'serviceaccounts' | 'pods' | 'secrets', namespace: string, name: string): string | undefined;
}

const privateClaim = 'kubernetes.io';
const clockToleranceSeconds = 10;
const backdateSeconds = 7 * 86_400;

export function tokenAuthority(options: TokenAuthorityOptions): TokenAuthority {
  return {
    issue: async (claims, audiences, seconds) => {
      const now = Math.floor(options.clock.now() / 1000);
      const token = await new SignJWT({ [privateClaim]: claims })
        .setProtectedHeader({ alg: 'ES256', kid: options.keys.keyId })
        .setIssuer(options.issuer)
        .setAudience([...audiences])
        .setSubject(userName(claims))
        .setIssuedAt(now)
        // as certificates: for a clock that is set back
        .setNotBefore(now - backdateSeconds)
        .setExpirationTime(now + seconds)
        .setJti(options.random.uuid())
        .sign(options.keys.privateKey);
      return { token, expiresMs: (now + seconds) * 1000 };
    },
    verify: async (token, accepted) => {
      const payload = await checkSignature(token, options);
      const audiences = [payload.aud ?? []].flat().filter((audience) => accepted.includes(audience));
      if (audiences.length === 0) throw unauthorized(new Error('the token is for another audience'));
      const claims = payload[privateClaim] as TokenClaims | undefined;
      if (!claims?.serviceaccount) throw unauthorized(new Error('the token names no service account'));
      checkBound(claims, options);
      return { user: tokenUser(claims, payload.jti), audiences };
    },
  };
}

async function checkSignature(token: string, { keys, issuer, clock }: TokenAuthorityOptions): Promise<JWTPayload> {
  try {
    const currentDate = new Date(clock.now());
    const rules = { issuer, currentDate, clockTolerance: clockToleranceSeconds, algorithms: ['ES256'] };
    return (await jwtVerify(token, keys.publicKey, rules)).payload;
  } catch (error) {
    throw unauthorized(error);
  }
}

function checkBound(claims: TokenClaims, options: TokenAuthorityOptions): void {
  const bound = { serviceaccounts: claims.serviceaccount, pods: claims.pod, secrets: claims.secret };
  for (const kind of ['serviceaccounts', 'pods', 'secrets'] as const) {
    const wanted = bound[kind];
    if (wanted && options.uidOf(kind, claims.namespace, wanted.name) !== wanted.uid) {
      throw unauthorized(new Error(`the token is bound to ${kind} ${wanted.name}, which is gone`));
    }
  }
}

function userName(claims: TokenClaims): string {
  return `system:serviceaccount:${claims.namespace}:${claims.serviceaccount.name}`;
}

function tokenUser(claims: TokenClaims, id: string | undefined): User {
  const extra: Record<string, string[]> = {};
  if (id !== undefined) extra['authentication.kubernetes.io/credential-id'] = [`JTI=${id}`];
  const add = (kind: string, bound: Bound | undefined): void => {
    if (!bound) return;
    extra[`authentication.kubernetes.io/${kind}-name`] = [bound.name];
    extra[`authentication.kubernetes.io/${kind}-uid`] = [bound.uid];
  };
  add('pod', claims.pod);
  add('node', claims.node);
  return {
    name: userName(claims),
    uid: claims.serviceaccount.uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${claims.namespace}`],
    extra,
  };
}
