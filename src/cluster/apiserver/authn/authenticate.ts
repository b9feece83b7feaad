import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { ServiceAccountKeys } from '../pki/service-account-keys.ts';
import { unauthorized } from '../status.ts';
import type { User } from '../types.ts';
import { userOfCertificate } from './certificate.ts';
import type { TokenAuthority } from './service-account.ts';

export const authenticatedGroup = 'system:authenticated';
export const anonymous: User = { name: 'system:anonymous', groups: ['system:unauthenticated'] };

export interface Authentication {
  tokens: TokenAuthority;
  /** The keys that sign tokens. */
  keys: ServiceAccountKeys;
  issuer: string;
  /** Whom a token must be for, to be taken here. */
  audiences: readonly string[];
}

/** Who sent the request: by client certificate, else by bearer token; anonymous where it shows neither. */
export async function authenticate(request: IncomingMessage, { tokens, audiences }: Pick<Authentication, 'tokens' | 'audiences'>): Promise<User> {
  const certified = certificateUser(request.socket as TLSSocket);
  if (certified) return authenticated(certified);
  const token = bearerToken(request);
  if (token === undefined) return anonymous;
  return authenticated((await tokens.verify(token, audiences)).user);
}

/** With the group of all who are known; whoever stands for nobody is not among them. */
export function authenticated(user: User): User {
  const stays = user.name === anonymous.name || [authenticatedGroup, ...anonymous.groups].some((group) => user.groups.includes(group));
  return stays ? user : { ...user, groups: [...user.groups, authenticatedGroup] };
}

/** Parsed once a connection. */
const usersOfSockets = new WeakMap<TLSSocket, User>();

function certificateUser(socket: TLSSocket): User | undefined {
  const known = usersOfSockets.get(socket);
  if (known) return known;
  const raw = socket.getPeerCertificate().raw as Buffer | undefined;
  if (!raw) return undefined;
  // A certificate of a foreign authority proves nothing, and must not pass for anonymous.
  if (!socket.authorized) throw unauthorized(socket.authorizationError);
  const user = userOfCertificate(raw);
  if (user) usersOfSockets.set(socket, user);
  return user;
}

/** The token of the Authorization header. */
function bearerToken(request: IncomingMessage): string | undefined {
  const [scheme, token] = (request.headers.authorization ?? '').split(' ', 2);
  if (scheme?.toLowerCase() === 'bearer') {
    if (token === undefined || token === '') throw unauthorized();
    return token;
  }
  return undefined;
}
