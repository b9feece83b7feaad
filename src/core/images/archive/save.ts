import type { Readable } from 'node:stream';
import { annotationImageName, annotationRefName, mediaTypes } from '#api/oci/image.ts';
import type { DockerArchiveEntry, ImageIndex, OciLayout } from '#api/oci/image.ts';
import { Fault } from '#lib/errors.ts';
import { tarEntry } from '#lib/tar/types.ts';
import { writeTar } from '#lib/tar/write.ts';
import type { TarSource } from '#lib/tar/write.ts';
import type { Content, Descriptor } from '#core/content/types.ts';
import type { ImageCatalog } from '../catalog.ts';
import type { Collector } from '../collect.ts';
import { familiar, parseReference, repositoryOf } from '../reference.ts';
import type { Image } from '../types.ts';

interface Chosen {
  image: Image;
  names: string[];
}

/** The archive of `docker save`: an OCI layout, with the files that readers of Docker's own format look for. */
export async function saveArchive(parts: { content: Content; catalog: ImageCatalog; collector: Collector }, references: readonly string[]): Promise<Readable> {
  const chosen = choose(parts.catalog, references);
  const blobs = new Map<string, Descriptor>();
  for (const { image } of chosen) for (const blob of await blobsOf(parts.content, image)) blobs.set(blob.digest, blob);
  const release = await parts.collector.pin([...blobs.values()].map((blob) => blob.digest));
  const archive = writeTar(members(parts.content, chosen, [...blobs.values()]));
  // Also where its reader leaves before the first byte.
  archive.once('close', release);
  return archive;
}

function choose(catalog: ImageCatalog, references: readonly string[]): Chosen[] {
  const chosen = new Map<string, Chosen>();
  const take = (image: Image, name?: string): void => {
    const entry = chosen.get(image.id) ?? { image, names: [] };
    if (name !== undefined && !entry.names.includes(name)) entry.names.push(name);
    chosen.set(image.id, entry);
  };
  for (const text of references) {
    const whole = namesOfRepository(catalog, text);
    if (whole.length > 0) {
      for (const { image, name } of whole) take(image, name);
      continue;
    }
    const image = catalog.get(text);
    if (!image) throw new Fault('not-found', `No such image: ${text}`);
    take(image, image.names.find((name) => isName(text, name)));
  }
  return [...chosen.values()];
}

/** A name without tag or digest stands for all tags of its repository. */
function namesOfRepository(catalog: ImageCatalog, text: string): { image: Image; name: string }[] {
  let prefix: string;
  try {
    const reference = parseReference(text);
    if (reference.tag !== undefined || reference.digest !== undefined) return [];
    prefix = `${repositoryOf(reference)}:`;
  } catch {
    return [];
  }
  return catalog.list().flatMap((image) => image.names.filter((name) => name.startsWith(prefix)).map((name) => ({ image, name })));
}

function isName(text: string, name: string): boolean {
  return text === name || text === familiar(name);
}

async function blobsOf(content: Content, image: Image): Promise<Descriptor[]> {
  const config = await content.stat(image.id);
  if (!config) throw new Fault('not-found', `the config of image ${image.id} is not in the content store`);
  return [image.manifest, { mediaType: mediaTypes.ociConfig, digest: image.id, size: config.size }, ...image.layers];
}

async function* members(content: Content, chosen: readonly Chosen[], blobs: readonly Descriptor[]): AsyncGenerator<TarSource, void> {
  yield { entry: tarEntry('blobs', 'directory') };
  yield { entry: tarEntry('blobs/sha256', 'directory') };
  for (const { digest, size } of [...blobs].sort((a, b) => (a.digest < b.digest ? -1 : 1))) {
    yield { entry: tarEntry(blobPath(digest), 'file', { size }), body: await content.open(digest) };
  }
  yield json('index.json', indexOf(chosen));
  yield json('manifest.json', chosen.map(entryOf));
  yield json('oci-layout', { imageLayoutVersion: '1.0.0' } satisfies OciLayout);
  yield json('repositories', repositoriesOf(chosen));
}

function indexOf(chosen: readonly Chosen[]): ImageIndex {
  const manifests = chosen.flatMap(({ image, names }): Descriptor[] => {
    const platform = { os: image.config.os, architecture: image.config.architecture, ...(image.config.variant ? { variant: image.config.variant } : {}) };
    const descriptor = { ...image.manifest, platform };
    if (names.length === 0) return [descriptor];
    return names.map((name) => ({ ...descriptor, annotations: { [annotationImageName]: name, [annotationRefName]: parseReference(name).tag! } }));
  });
  return { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
}

function entryOf({ image, names }: Chosen): DockerArchiveEntry {
  return {
    Config: blobPath(image.id),
    RepoTags: names.length === 0 ? null : names.map(familiar),
    Layers: image.layers.map((layer) => blobPath(layer.digest)),
    LayerSources: Object.fromEntries(image.layers.map((layer, i) => [image.config.rootfs.diff_ids[i]!, layer])),
  };
}

function repositoriesOf(chosen: readonly Chosen[]): Record<string, Record<string, string>> {
  const repositories: Record<string, Record<string, string>> = {};
  for (const { image, names } of chosen) {
    const top = image.config.rootfs.diff_ids.at(-1)?.slice('sha256:'.length) ?? '';
    for (const name of names) {
      const { tag, ...reference } = parseReference(name);
      (repositories[familiar(repositoryOf(reference))] ??= {})[tag!] = top;
    }
  }
  return repositories;
}

function json(name: string, value: unknown): TarSource {
  const body = Buffer.from(JSON.stringify(value));
  return { entry: tarEntry(name, 'file', { size: body.length }), body };
}

function blobPath(digest: string): string {
  return `blobs/sha256/${digest.slice('sha256:'.length)}`;
}
