import type { Readable } from 'node:stream';
import { annotationImageName, annotationRefName } from '#api/oci/image.ts';
import { Fault } from '#lib/errors.ts';
import type { Content, Descriptor, Digest } from '#core/content/types.ts';
import type { Collector } from '../collect.ts';
import { manifestLimits, parseConfig, parseManifest } from '../manifest.ts';
import { hostPlatform, pickPlatform } from '../platform.ts';
import { parseReference, taggedName } from '../reference.ts';
import type { Image, Images, LoadedImage, PullProgress } from '../types.ts';
import { readArchive } from './read.ts';
import type { ReadArchive } from './read.ts';

interface LoadParts {
  content: Content;
  images: Pick<Images, 'add' | 'assemble' | 'get'>;
  collector: Collector;
  /** Names the ingests of this load. */
  ref: string;
}

interface LoadOptions {
  onProgress?: PullProgress;
  signal?: AbortSignal;
}

/** Docker's entry of `manifest.json`, checked. */
interface Entry {
  config: string;
  names: string[];
  layers: string[];
}

/** Loads the images of an archive: Docker's own format, an OCI layout, or both in one. */
export async function loadArchive(parts: LoadParts, archive: Readable, options: LoadOptions): Promise<LoadedImage[]> {
  const stored: Digest[] = [];
  try {
    return await parts.collector.pinned([], async (pin) => {
      const read = await readArchive(parts.content, archive, parts.ref, async (digest, isNew) => {
        await pin([digest]);
        if (isNew) stored.push(digest);
      });
      return loadImages(parts, read, options);
    });
  } finally {
    // What no image came to need: parts for other platforms, or everything where the archive was refused.
    await parts.collector.releaseBlobs(stored);
  }
}

async function loadImages(parts: LoadParts, read: ReadArchive, options: LoadOptions): Promise<LoadedImage[]> {
  const entries = entriesOf(read);
  const index = read.document('index.json');
  if (!entries && !index) throw new Fault('invalid', 'it is no image archive: it has neither manifest.json nor index.json');
  const loaded = new Map<string, LoadedImage>();
  const note = (image: Image, names: readonly string[]): void => {
    const before = loaded.get(image.id)?.names ?? [];
    loaded.set(image.id, { image: parts.images.get(image.id) ?? image, names: [...new Set([...before, ...names])] });
  };
  if (index) await loadLayout(parts, index, entries ?? [], options, note);
  else for (const entry of entries!) note(await loadEntry(parts, read, entry, options), entry.names);
  return [...loaded.values()];
}

async function loadLayout(parts: LoadParts, index: Buffer, entries: readonly Entry[], options: LoadOptions, note: (image: Image, names: readonly string[]) => void): Promise<void> {
  const parsed = parseManifest(index, undefined, 'index.json');
  if (parsed.kind !== 'index') throw new Fault('invalid', 'index.json is not an index');
  for (const descriptor of parsed.index.manifests) {
    const manifest = await manifestOf(parts.content, descriptor, manifestLimits.nesting);
    if (!manifest) continue;
    const names = namesOf(descriptor);
    const image = await parts.images.add(manifest, names, { ...options, onProgress: loading(options.onProgress) });
    const also = entries.filter((entry) => entry.config.endsWith(image.id.slice('sha256:'.length))).flatMap((entry) => entry.names);
    if (also.length > 0) await parts.images.add(manifest, also, { signal: options.signal });
    note(image, [...names, ...also]);
  }
}

/** The manifest to load: the one for this host, or the only one that the archive holds. */
async function manifestOf(content: Content, descriptor: Descriptor, nesting: number): Promise<Descriptor | undefined> {
  if (!(await content.stat(descriptor.digest))) return undefined;
  const parsed = parseManifest(await content.read(descriptor.digest), descriptor.mediaType, `manifest ${descriptor.digest}`);
  if (parsed.kind === 'manifest') return descriptor;
  if (nesting === 0) throw new Fault('too-large', `index.json: indexes are nested more than ${manifestLimits.nesting} deep`);
  const held: Descriptor[] = [];
  for (const inner of parsed.index.manifests) if (await content.stat(inner.digest)) held.push(inner);
  const images = held.filter((inner) => inner.annotations?.['vnd.docker.reference.type'] === undefined);
  const chosen = pickPlatform(images, hostPlatform()) ?? (images.length === 1 ? images[0] : undefined);
  if (!chosen) throw new Fault('not-found', `the archive holds no image for this host's platform below ${descriptor.digest}`);
  return manifestOf(content, chosen, nesting - 1);
}

/** What an OCI layout says of names: containerd's annotation is a whole one, OCI's may be just a tag. */
function namesOf(descriptor: Descriptor): string[] {
  const full = descriptor.annotations?.[annotationImageName];
  const short = descriptor.annotations?.[annotationRefName];
  const name = full ?? (short !== undefined && /[/:]/.test(short) ? short : undefined);
  return name === undefined ? [] : [taggedName(parseReference(name))];
}

async function loadEntry(parts: LoadParts, read: ReadArchive, entry: Entry, options: LoadOptions): Promise<Image> {
  const data = read.document(entry.config);
  if (!data) throw new Fault('invalid', `manifest.json names the config ${JSON.stringify(entry.config)}, and the archive does not hold it`);
  const config = parseConfig(data, `config ${entry.config}`);
  const layers: Descriptor[] = [];
  for (const [i, path] of entry.layers.entries()) {
    const layer = read.layer(path);
    if (!layer) throw new Fault('invalid', `manifest.json names the layer ${JSON.stringify(path)}, and the archive does not hold it`);
    if (layer.diffId !== config.rootfs.diff_ids[i]) {
      throw new Fault('invalid', `the layer ${JSON.stringify(path)} has digest ${layer.diffId}, and the image's config says ${config.rootfs.diff_ids[i] ?? 'nothing'}`);
    }
    layers.push(layer.descriptor);
  }
  return parts.images.assemble(config, layers, entry.names, { configData: data, ...options, onProgress: loading(options.onProgress) });
}

function entriesOf(read: ReadArchive): Entry[] | undefined {
  const data = read.document('manifest.json');
  if (!data) return undefined;
  const bad = (why: string): Fault => new Fault('invalid', `manifest.json of the image archive: ${why}`);
  let list: unknown;
  try {
    list = JSON.parse(data.toString('utf8'));
  } catch {
    throw bad('not valid JSON');
  }
  if (!Array.isArray(list)) throw bad('not a list');
  const texts = (value: unknown): value is string[] => Array.isArray(value) && value.every((item) => typeof item === 'string');
  return list.map((value: unknown) => {
    if (typeof value !== 'object' || value === null) throw bad('an entry is no object');
    const { Config, RepoTags, Layers } = value as Record<string, unknown>;
    if (typeof Config !== 'string' || !texts(Layers)) throw bad('an entry has no Config or no Layers');
    if (RepoTags !== null && RepoTags !== undefined && !texts(RepoTags)) throw bad('RepoTags is not a list of names');
    return { config: Config, layers: Layers, names: (RepoTags ?? []).map((name) => taggedName(parseReference(name))) };
  });
}

/** Progress in the words of `docker load`. */
function loading(report: PullProgress | undefined): PullProgress | undefined {
  return report && ((event) => {
    if (event.status === 'Extracting') report({ ...event, status: 'Loading layer' });
  });
}
