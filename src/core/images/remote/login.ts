import { Fault, isFault } from '#lib/errors.ts';
import { isDomain } from '../reference.ts';
import type { RegistryAuth } from '../types.ts';
import type { RegistryClient } from './client.ts';

/** Names under which docker.io's registry is logged in to. */
const hubNames: readonly string[] = ['', 'docker.io', 'index.docker.io', 'registry-1.docker.io'];

/** Asks a registry whether it takes these credentials; `unauthenticated` where not. */
export async function loginTo(client: RegistryClient, server: string, auth: RegistryAuth, signal?: AbortSignal): Promise<{ identityToken?: string }> {
  const host = server.replace(/^https?:\/\//, '').split('/')[0]!;
  const domain = hubNames.includes(host) ? 'docker.io' : host;
  if (!isDomain(domain)) throw new Fault('invalid', `${JSON.stringify(server.slice(0, 300))} is no registry: want a host, or host:port`);
  const [registry] = client.repositories(domain, '', auth, 'login');
  if (!registry) throw new Fault('unavailable', `no registry is known for ${domain}`);
  const url = new URL('/v2/', registry.endpoint.url);
  try {
    (await registry.send({ method: 'GET', target: url, signal })).drop();
  } catch (error) {
    if (!isFault(error, 'unauthenticated', 'forbidden')) throw error;
    throw new Fault('unauthenticated', `login attempt to ${url.href} failed: ${error.message}`, { cause: error });
  }
  const { identityToken = auth.identityToken } = registry;
  return identityToken === undefined ? {} : { identityToken };
}
