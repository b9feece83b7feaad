import { Fault } from '#lib/errors.ts';
import { isDigest } from '#core/content/types.ts';
import type { Digest } from '#core/content/types.ts';

/** A name of an image, qualified: `docker.io/library/redis`, with a tag, a digest, both or neither. */
export interface Reference {
  /** Host with port, or `docker.io`. */
  domain: string;
  /** The repository on that host: `library/redis`. */
  path: string;
  tag?: string;
  digest?: Digest;
}

const nameBytes = 255;
const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const domainName = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$/;
const tagForm = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/**
 * Parses a name as Docker does: no host means `docker.io`, no organisation there means `library`. `invalid` with
 * Docker's words. Grammar: distribution's `reference` package.
 */
export function parseReference(text: string): Reference {
  if (/^[0-9a-f]{64}$/.test(text)) {
    throw new Fault('invalid', `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  }
  const { rest, digest } = takeDigest(text);
  const { name, tag } = takeTag(rest);
  const { domain, path } = splitDomain(name);
  if (path !== path.toLowerCase()) {
    throw new Fault('invalid', `invalid reference format: repository name (${path}) must be lowercase`);
  }
  if (!domainName.test(domain) || !path.split('/').every((part) => component.test(part))) {
    throw new Fault('invalid', `invalid reference format: ${JSON.stringify(text.slice(0, 300))} is no image name`);
  }
  if (domain.length + 1 + path.length > nameBytes) {
    throw new Fault('invalid', `repository name must not be more than ${nameBytes} characters`);
  }
  return { domain, path, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

/** Whether a text is a host, with or without a port. */
export function isDomain(text: string): boolean {
  return domainName.test(text);
}

export function isTag(text: string): boolean {
  return tagForm.test(text);
}

/** `domain/path`. */
export function repositoryOf(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

/** The qualified name with tag (`latest` where there is none), without a digest. */
export function taggedName(reference: Reference): string {
  return `${repositoryOf(reference)}:${reference.tag ?? 'latest'}`;
}

/** Whether a registry knows an image as of this repository: it was pulled from there, or pushed. */
export function isFromRegistry(image: { digests: readonly string[] }, reference: Reference): boolean {
  return image.digests.some((digest) => digest.startsWith(`${repositoryOf(reference)}@`));
}

/** As people write it: without `docker.io` and `library`. */
export function familiarName(reference: Reference): string {
  if (reference.domain !== 'docker.io') return repositoryOf(reference);
  return reference.path.replace(/^library\/(?=[^/]+$)/, '');
}

/** `familiarName` with tag and digest, as they are. */
export function familiarString(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  return `${familiarName(reference)}${tag}${reference.digest === undefined ? '' : `@${reference.digest}`}`;
}

/** The familiar form of a qualified name (`docker.io/library/redis:7` gives `redis:7`). */
export function familiar(name: string): string {
  return familiarString(parseReference(name));
}

function takeDigest(text: string): { rest: string; digest?: Digest } {
  const at = text.indexOf('@');
  if (at < 0) return { rest: text };
  const digest = text.slice(at + 1);
  if (isDigest(digest)) return { rest: text.slice(0, at), digest };
  if (/^sha(384|512):[0-9a-f]+$/.test(digest)) throw new Fault('invalid', `unsupported digest algorithm in ${JSON.stringify(digest)}: only sha256 is supported`);
  throw new Fault('invalid', `invalid reference format: ${JSON.stringify(digest.slice(0, 150))} is no digest`);
}

function takeTag(text: string): { name: string; tag?: string } {
  const at = text.lastIndexOf(':');
  // A colon before a slash belongs to the host's port.
  if (at < 0 || text.indexOf('/', at) >= 0) return { name: text };
  const tag = text.slice(at + 1);
  if (!tagForm.test(tag)) throw new Fault('invalid', `invalid reference format: ${JSON.stringify(tag.slice(0, 150))} is no tag`);
  return { name: text.slice(0, at), tag };
}

function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const isHost = first !== '' && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  let domain = isHost ? first : 'docker.io';
  let path = isHost ? name.slice(slash + 1) : name;
  if (domain === 'index.docker.io') domain = 'docker.io';
  if (domain === 'docker.io' && !path.includes('/')) path = `library/${path}`;
  return { domain, path };
}
