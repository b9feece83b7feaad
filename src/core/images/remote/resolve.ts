import { createHash } from 'node:crypto';
import { indexMediaTypes, manifestMediaTypes } from '#api/oci/image.ts';
import type { ImageManifest } from '#api/oci/image.ts';
import { Fault, isFault } from '#lib/errors.ts';
import type { Descriptor, Digest, Platform } from '#core/content/types.ts';
import { choose } from '../adopt.ts';
import { manifestLimits, parseConfig, parseManifest } from '../manifest.ts';
import type { ParsedManifest } from '../manifest.ts';
import type { Reference } from '../reference.ts';
import type { PullOptions } from '../types.ts';
import type { RegistryClient, Repository } from './client.ts';
import { pullFault } from './errors.ts';

const accept = [...manifestMediaTypes, ...indexMediaTypes].join(', ');

export interface FetchedManifest {
  descriptor: Descriptor;
  data: Buffer;
  parsed: ParsedManifest;
}

/** A manifest or index by tag or digest, verified. */
export async function fetchManifest(repository: Repository, target: string, expected: Digest | undefined, signal?: AbortSignal): Promise<FetchedManifest> {
  return repository.retrying(`manifest ${target}`, signal, async () => {
    const response = await repository.send({ method: 'GET', target: `manifests/${target}`, headers: { accept }, signal });
    const data = await repository.document(response, manifestLimits.bytes);
    const digest: Digest = `sha256:${createHash('sha256').update(data).digest('hex')}`;
    const claimed = expected ?? response.headers['docker-content-digest'] ?? digest;
    if (claimed !== digest) throw new Fault('invalid', `manifest verification failed for digest ${claimed}: the content has ${digest}`);
    const type = response.headers['content-type']?.split(';')[0]?.trim();
    const parsed = parseManifest(data, type && type !== 'application/json' ? type : undefined, `manifest ${repository.path}:${target}`);
    const document = parsed.kind === 'manifest' ? parsed.manifest : parsed.index;
    return { descriptor: { mediaType: document.mediaType ?? type ?? '', digest, size: data.length }, data, parsed };
  });
}

/**
 * `work` at each endpoint of the reference until one has it: a mirror's failure is not the end. Where the registry itself
 * cannot be reached, what a mirror said of the image counts.
 */
export async function atEndpoints<T>(client: RegistryClient, reference: Reference, options: PullOptions, work: (repository: Repository) => Promise<T>): Promise<T> {
  const repositories = client.repositories(reference.domain, reference.path, options.auth, 'pull');
  let unknown: unknown;
  for (const repository of repositories) {
    try {
      return await work(repository);
    } catch (error) {
      if (isFault(error, 'canceled')) throw error;
      if (!repository.endpoint.isMirror) throw pullFault(isFault(error, 'unavailable') && unknown !== undefined ? unknown : error, reference);
      if (isFault(error, 'not-found')) unknown ??= error;
      client.parts.log.info('a mirror cannot serve an image; asking the next', { mirror: repository.endpoint.url.host, image: reference.path, error });
    }
  }
  throw new Fault('unavailable', `no registry is known for ${reference.domain}`);
}

/** What a registry says of a reference, without its layers. */
export function resolveImage(client: RegistryClient, reference: Reference, options: PullOptions): Promise<{ descriptor: Descriptor; platforms: Platform[] }> {
  return atEndpoints(client, reference, options, async (repository) => {
    const top = await fetchManifest(repository, reference.digest ?? reference.tag ?? 'latest', reference.digest, options.signal);
    if (top.parsed.kind === 'index') {
      const platforms = top.parsed.index.manifests.flatMap((manifest) => (manifest.platform ? [manifest.platform] : []));
      return { descriptor: top.descriptor, platforms };
    }
    const { digest } = top.parsed.manifest.config;
    const response = await repository.send({ method: 'GET', target: `blobs/${digest}`, signal: options.signal });
    const data = await repository.document(response, manifestLimits.bytes);
    const config = parseConfig(data, `config ${digest}`);
    return { descriptor: top.descriptor, platforms: [{ os: config.os, architecture: config.architecture, ...(config.variant ? { variant: config.variant } : {}) }] };
  });
}

export interface FoundManifest {
  descriptor: Descriptor;
  data: Buffer;
  manifest: ImageManifest;
  /** What led to it, outermost first. */
  indexes: readonly FetchedManifest[];
}

/** The manifest of an image for `platform`, by way of its index where it has one. */
export async function fetchForPlatform(repository: Repository, top: FetchedManifest, platform: Platform, signal?: AbortSignal): Promise<FoundManifest> {
  const indexes: FetchedManifest[] = [];
  for (let at = top; ; ) {
    const { descriptor, data, parsed } = at;
    if (parsed.kind === 'manifest') return { descriptor, data, manifest: parsed.manifest, indexes };
    if (indexes.length >= manifestLimits.nesting) throw new Fault('too-large', `manifest ${top.descriptor.digest}: indexes are nested more than ${manifestLimits.nesting} deep`);
    indexes.push(at);
    const chosen = choose(parsed.index.manifests, platform, descriptor.digest);
    at = await fetchManifest(repository, chosen.digest, chosen.digest, signal);
  }
}
