import { Semaphore } from '#lib/async.ts';
import type { ImageManifest } from '#api/oci/image.ts';
import type { Content, Descriptor, Digest } from '#core/content/types.ts';
import { chainsOf } from '#core/snapshots/chain.ts';
import type { Snapshots } from '#core/snapshots/types.ts';
import { checkLayers, unpackLayers } from '../adopt.ts';
import type { ImageCatalog, Naming } from '../catalog.ts';
import { blobsOf } from '../collect.ts';
import type { Brought, Collector } from '../collect.ts';
import { manifestLimits, parseConfig } from '../manifest.ts';
import type { PeerFinder } from '../peers/find.ts';
import { hostPlatform } from '../platform.ts';
import { repositoryOf, taggedName } from '../reference.ts';
import type { Reference } from '../reference.ts';
import type { PullOptions, PullResult } from '../types.ts';
import { registryLimits } from './limits.ts';
import type { RegistryClient, Repository } from './client.ts';
import { download } from './download.ts';
import { atEndpoints, fetchForPlatform, fetchManifest } from './resolve.ts';
import type { FoundManifest } from './resolve.ts';

export interface PullParts {
  content: Content;
  snapshots: Snapshots;
  catalog: ImageCatalog;
  collector: Collector;
  client: RegistryClient;
  /** Where there are peers. */
  finder?: PeerFinder;
}

/** Pulls what is missing of an image. Layers are downloaded side by side and unpacked in order as they arrive. */
export function pullImage(parts: PullParts, reference: Reference, options: PullOptions): Promise<PullResult> {
  return atEndpoints(parts.client, reference, options, async (repository) => {
    const top = await fetchManifest(repository, reference.digest ?? reference.tag!, reference.digest, options.signal);
    const found = await fetchForPlatform(repository, top, options.platform ?? hostPlatform(), options.signal);
    const near = parts.finder && (await lacksLayers(parts.content, found.manifest)) ? await holdersOf(parts.finder, reference, found.descriptor.digest, options.signal) : [];
    return pullManifest(parts, { sources: [...near, repository], naming: namingOf(reference, top.descriptor.digest, options) }, found, options);
  });
}

export function namingOf(reference: Reference, digest: Digest | undefined, { owner }: PullOptions): Naming {
  const names = reference.digest === undefined ? [taggedName(reference)] : [];
  return { names, digests: digest === undefined ? [] : [`${repositoryOf(reference)}@${digest}`], ...(owner === undefined ? {} : { owner }) };
}

async function lacksLayers(content: Content, manifest: ImageManifest): Promise<boolean> {
  for (const layer of manifest.layers) if (!(await content.stat(layer.digest))) return true;
  return false;
}

/** The peers that have what a registry has: its blobs come from them first. */
async function holdersOf(finder: PeerFinder, reference: Reference, digest: Digest, signal: AbortSignal | undefined): Promise<Repository[]> {
  const [offer] = await finder.offers({ ...reference, tag: undefined, digest }, signal);
  return (offer?.holders ?? []).map((peer) => finder.repository(peer, reference));
}

/** Brings the image of a manifest from `sources`, each asked for what the ones before it could not give. */
export async function pullManifest(parts: PullParts, from: { sources: readonly Repository[]; naming: Naming }, found: FoundManifest, options: PullOptions): Promise<PullResult> {
  const { content, catalog, collector } = parts;
  const { manifest, indexes, descriptor } = found;
  const id = manifest.config.digest;
  const documents = [...indexes.map((index) => index.descriptor), descriptor];
  const brought: Brought = { blobs: [id, ...documents.map((one) => one.digest), ...manifest.layers.map((layer) => layer.digest)], chains: [] };
  return collector.undoing(brought, () => collector.pinned(brought.blobs, async (pin) => {
    await download(parts, from.sources, manifest.config, options, manifestLimits.bytes);
    const config = parseConfig(await content.read(id, manifestLimits.bytes), `config ${id}`);
    checkLayers(manifest.layers, config, `manifest ${descriptor.digest}`);
    const chains = chainsOf(config.rootfs.diff_ids);
    await pin(chains);
    brought.chains = chains.filter((chain) => !parts.snapshots.has(chain));
    const before = catalog.byId(id);
    await transferLayers(parts, from.sources, manifest.layers, chains, config, options);
    for (const { data } of [...indexes, found]) await content.put(data);
    const added = { id, manifest: descriptor, layers: manifest.layers, ...(indexes.length > 0 ? { indexes: indexes.map((index) => index.descriptor) } : {}) };
    const image = await catalog.put(added, config, from.naming);
    if (before) await collector.releaseBlobs(blobsOf(before));
    const updated = !before || (from.naming.names ?? []).some((name) => !before.names.includes(name));
    return { image, digest: documents[0]!.digest, updated };
  }));
}

async function transferLayers(parts: PullParts, sources: readonly Repository[], layers: readonly Descriptor[], chains: readonly Digest[], config: PullResult['image']['config'], options: PullOptions): Promise<void> {
  const { content, snapshots } = parts;
  const gate = new Semaphore(registryLimits.parallel);
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  const report = (layer: Descriptor, status: string): void => options.onProgress?.({ layer: layer.digest, status });
  const needed: boolean[] = [];
  for (const [i, layer] of layers.entries()) {
    const isThere = (await content.stat(layer.digest)) !== undefined;
    needed.push(!isThere);
    report(layer, isThere && snapshots.has(chains[i]!) ? 'Already exists' : 'Pulling fs layer');
  }
  const downloads = layers.map((layer, i) => {
    if (!needed[i]) return Promise.resolve();
    if (i >= registryLimits.parallel) report(layer, 'Waiting');
    return gate.run(async () => {
      await download(parts, sources, layer, { ...options, signal });
      report(layer, 'Download complete');
    });
  });
  // A later layer may fail before its turn has come; its failure is met then.
  for (const one of downloads) one.catch(() => {});
  try {
    await unpackLayers(snapshots, { layers, config }, { ...options, signal, ready: (i) => downloads[i]! });
  } catch (error) {
    // One failure ends the other downloads; what they have got stays for the next pull.
    stop.abort();
    throw error;
  } finally {
    await Promise.allSettled(downloads);
  }
}
