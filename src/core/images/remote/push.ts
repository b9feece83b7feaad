import { forEachLimit } from '#lib/async.ts';
import { Fault, isFault } from '#lib/errors.ts';
import type { HttpAnswer } from '#lib/http-client.ts';
import { mediaTypes } from '#api/oci/image.ts';
import type { Content, Descriptor, Digest } from '#core/content/types.ts';
import type { ImageCatalog } from '../catalog.ts';
import type { Collector } from '../collect.ts';
import { manifestLimits } from '../manifest.ts';
import { parseReference, repositoryOf } from '../reference.ts';
import type { Reference } from '../reference.ts';
import type { Image, PushOptions } from '../types.ts';
import { registryLimits } from './limits.ts';
import type { RegistryClient, Repository } from './client.ts';
import { checkLed } from './endpoints.ts';

export interface PushParts {
  content: Content;
  catalog: ImageCatalog;
  collector: Collector;
  client: RegistryClient;
}

const progressBytes = 512 * 1024;

/** Pushes an image under a tag: the blobs that the registry lacks, then the manifest. */
export function pushImage(parts: PushParts, image: Image, reference: Reference, options: PushOptions): Promise<{ digest: Digest; size: number }> {
  const { content, catalog, collector, client } = parts;
  if (reference.digest !== undefined) throw new Fault('invalid', 'cannot push a digest reference');
  const [repository] = client.repositories(reference.domain, reference.path, options.auth, 'push');
  if (!repository) throw new Fault('unavailable', `no registry is known for ${reference.domain}`);
  return collector.pinned([image.manifest.digest, image.id, ...image.layers.map((layer) => layer.digest)], async () => {
    const config = { mediaType: mediaTypes.ociConfig, digest: image.id, size: (await content.stat(image.id))?.size ?? 0 };
    const sources = sourcesFor(image, reference);
    for (const layer of image.layers) options.onProgress?.({ layer: layer.digest, status: 'Preparing' });
    await forEachLimit([...unique(image.layers), config], registryLimits.parallel, (blob) => pushBlob(content, repository, blob, sources, blob === config ? { ...options, onProgress: undefined } : options));
    const data = await content.read(image.manifest.digest, manifestLimits.bytes);
    await repository.retrying('manifest', options.signal, async () => {
      const response = await repository.send({ method: 'PUT', target: `manifests/${reference.tag!}`, headers: { 'content-type': image.manifest.mediaType }, body: data, signal: options.signal });
      await repository.document(response, registryLimits.errorBytes);
    });
    await catalog.name(image.id, { digests: [`${repositoryOf(reference)}@${image.manifest.digest}`] });
    return { digest: image.manifest.digest, size: data.length };
  });
}

/** Repositories of the same registry that have this image, so that its blobs can be mounted from there. */
function sourcesFor(image: Image, reference: Reference): string[] {
  const paths = image.digests.map((digest) => parseReference(digest)).filter((from) => from.domain === reference.domain && from.path !== reference.path);
  return [...new Set(paths.map((from) => from.path))].slice(0, 3);
}

async function pushBlob(content: Content, repository: Repository, blob: Descriptor, sources: readonly string[], options: PushOptions): Promise<void> {
  const report = (status: string, current?: number): void => options.onProgress?.({ layer: blob.digest, status, ...(current === undefined ? {} : { current, total: blob.size }) });
  await repository.retrying(`blob ${blob.digest}`, options.signal, async () => {
    if (await isThere(repository, blob.digest, options.signal)) {
      report('Layer already exists');
      return;
    }
    for (const from of sources) {
      repository.alsoPull(from);
      if (await mount(repository, blob.digest, from, options.signal)) {
        report(`Mounted from ${from}`);
        return;
      }
    }
    await upload(content, repository, blob, options.signal, (current) => report('Pushing', current));
    report('Pushed');
  });
}

async function isThere(repository: Repository, digest: Digest, signal?: AbortSignal): Promise<boolean> {
  try {
    (await repository.send({ method: 'HEAD', target: `blobs/${digest}`, signal })).drop();
    return true;
  } catch (error) {
    if (isFault(error, 'not-found')) return false;
    throw error;
  }
}

async function mount(repository: Repository, digest: Digest, from: string, signal?: AbortSignal): Promise<boolean> {
  const query = new URLSearchParams({ mount: digest, from });
  try {
    const response = await repository.send({ method: 'POST', target: `blobs/uploads/?${query.toString()}`, body: new Uint8Array(), signal });
    await repository.document(response, registryLimits.errorBytes);
    // 202 is an upload begun instead; it is left for the registry to drop.
    return response.status === 201;
  } catch (error) {
    if (isFault(error, 'forbidden', 'not-found', 'unauthenticated')) return false;
    throw error;
  }
}

/** Streams a blob in one PATCH and seals it by a PUT, as Docker does: registries differ in what else they take. */
async function upload(content: Content, repository: Repository, blob: Descriptor, signal: AbortSignal | undefined, onProgress: (bytes: number) => void): Promise<void> {
  const begun = await repository.send({ method: 'POST', target: 'blobs/uploads/', body: new Uint8Array(), signal });
  await repository.document(begun, registryLimits.errorBytes);
  const headers = { 'content-type': 'application/octet-stream' };
  const sent = await repository.send({ method: 'PATCH', target: nextOf(begun, repository), headers, body: piecesFor(content, blob, onProgress), signal });
  await repository.document(sent, registryLimits.errorBytes);
  const seal = nextOf(sent, repository);
  seal.searchParams.set('digest', blob.digest);
  const sealed = await repository.send({ method: 'PUT', target: seal, headers, body: new Uint8Array(), signal });
  await repository.document(sealed, registryLimits.errorBytes);
}

function nextOf(response: HttpAnswer, repository: Repository): URL {
  const { location } = response.headers;
  if (location === undefined || !URL.canParse(location, response.url.href)) throw new Fault('invalid', `${repository.endpoint.url.host} gave no location for the upload`);
  const next = new URL(location, response.url);
  checkLed(repository.endpoint.url, next);
  return next;
}

async function* piecesFor(content: Content, blob: Descriptor, onProgress: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  let sent = 0;
  let reported = 0;
  for await (const chunk of await content.open(blob.digest)) {
    sent += (chunk as Buffer).length;
    if (sent - reported >= progressBytes) onProgress((reported = sent));
    yield chunk as Buffer;
  }
}

function unique(layers: readonly Descriptor[]): Descriptor[] {
  return [...new Map(layers.map((layer) => [layer.digest, layer])).values()];
}
