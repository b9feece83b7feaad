import { Fault } from '#lib/errors.ts';

export interface EndpointOptions {
  /** URLs that are asked for docker.io's images before docker.io itself. */
  mirrors?: readonly string[];
  /** Hosts (`host`, `host:port`) that are spoken to without TLS; loopback ones always are. */
  insecure?: readonly string[];
}

export interface Endpoint {
  /** Scheme, host and port. */
  url: URL;
  /** What a peer is called; registries go by their host. */
  name?: string;
  isMirror: boolean;
}

/** Where the API of a domain is served: for docker.io its mirrors, then its registry. */
export function endpointsOf(domain: string, options: EndpointOptions): Endpoint[] {
  if (domain !== 'docker.io') {
    const scheme = isPlain(domain, options.insecure ?? []) ? 'http' : 'https';
    const url = `${scheme}://${domain}`;
    if (!URL.canParse(url)) throw new Fault('invalid', `${JSON.stringify(domain)} is no address of a registry: want host or host:port`);
    return [{ url: new URL(url), isMirror: false }];
  }
  const mirrors = (options.mirrors ?? []).map((mirror) => ({ url: mirrorUrl(mirror), isMirror: true }));
  return [...mirrors, { url: new URL('https://registry-1.docker.io'), isMirror: false }];
}

/** A mirror's URL, checked: scheme, host and port alone. */
export function mirrorUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.search !== '' || url.hash !== '' || url.username !== '') {
    throw new Fault('invalid', `invalid mirror ${JSON.stringify(text)}: want http://host[:port] or https://host[:port]`);
  }
  if (url.pathname !== '/') throw new Fault('invalid', `invalid mirror: path, query, or fragment at end of the URI ${JSON.stringify(text)}`);
  return url;
}

/**
 * Throws `invalid` where a registry leads to where it is not followed: to less protection than it has itself, or to an address
 * that only this host can reach, such as a cloud's metadata.
 */
export function checkLed(from: URL, to: URL): void {
  if (to.protocol !== 'https:' && to.protocol !== from.protocol) throw new Fault('invalid', `${from.host} leads to ${to.protocol}//${to.host}, which is not secure`);
  if (to.hostname === from.hostname || !isHostOnly(to) || (isLoopback(from) && isLoopback(to))) return;
  throw new Fault('invalid', `${from.host} leads to ${to.host}, an address of this host alone; it is not followed`);
}

function isHostOnly(url: URL): boolean {
  return isLoopback(url) || /^169\.254\.|^\[fe[89ab]|^\[::ffff:a9fe:/.test(url.hostname);
}

function isLoopback({ hostname }: URL): boolean {
  return /^(?:.*\.)?localhost\.?$|^127\.|^0\.0\.0\.0$|^\[::1?\]$|^\[::ffff:(?:7f..:|0:0\])/.test(hostname);
}

function isPlain(domain: string, insecure: readonly string[]): boolean {
  const host = domain.replace(/:[0-9]+$/, '');
  return host === 'localhost' || /^127\./.test(host) || host === '[::1]' || insecure.includes(domain) || insecure.includes(host);
}
