import { Semaphore } from '#lib/async.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import { contentLimits } from '#core/content/store.ts';
import type { Content, Descriptor, Digest } from '#core/content/types.ts';
import { chainsOf } from '#core/snapshots/chain.ts';
import type { Snapshots } from '#core/snapshots/types.ts';
import { checkLayers, unpackLayers } from '../adopt.ts';
import type { ImageCatalog } from '../catalog.ts';
import { mayPass } from '../collect.ts';
import type { Brought, Collector } from '../collect.ts';
import { manifestLimits, parseConfig } from '../manifest.ts';
import { hostPlatform } from '../platform.ts';
import { repositoryOf, taggedName } from '../reference.ts';
import type { Reference } from '../reference.ts';
import type { PullOptions, PullProgress, PullResult } from '../types.ts';
import { piecesOf } from './body.ts';
import { registryLimits } from './client.ts';
import type { RegistryClient, Repository } from './client.ts';
import { atEndpoints, fetchForPlatform, fetchManifest } from './resolve.ts';
import type { FetchedManifest } from './resolve.ts';

export interface PullParts {
  content: Content;
  snapshots: Snapshots;
  catalog: ImageCatalog;
  collector: Collector;
  client: RegistryClient;
}

/** Bytes of a download between two reports of progress. */
const progressBytes = 512 * 1024;

/** Pulls what is missing of an image. Layers are downloaded side by side and unpacked in order as they arrive. */
export function pullImage(parts: PullParts, reference: Reference, options: PullOptions): Promise<PullResult> {
  return atEndpoints(parts.client, reference, options, async (repository) => {
    const top = await fetchManifest(repository, reference.digest ?? reference.tag!, reference.digest, options.signal);
    const found = await fetchForPlatform(repository, top, options.platform ?? hostPlatform(), options.signal);
    return pullManifest(parts, repository, reference, top.descriptor.digest, found, options);
  });
}

async function pullManifest(parts: PullParts, repository: Repository, reference: Reference, digest: Digest, found: FetchedManifest, options: PullOptions): Promise<PullResult> {
  const { content, catalog, collector } = parts;
  if (found.parsed.kind !== 'manifest') throw new Fault('invalid', `manifest ${digest} is not an image`);
  const { manifest } = found.parsed;
  const id = manifest.config.digest;
  const brought: Brought = { blobs: [found.descriptor.digest, id, ...manifest.layers.map((layer) => layer.digest)], chains: [] };
  return collector.undoing(brought, () => collector.pinned(brought.blobs, async (pin) => {
    await download(parts, repository, manifest.config, options, manifestLimits.bytes);
    const config = parseConfig(await content.read(id, manifestLimits.bytes), `config ${id}`);
    checkLayers(manifest.layers, config, `manifest ${found.descriptor.digest}`);
    const chains = chainsOf(config.rootfs.diff_ids);
    await pin(chains);
    brought.chains = chains.filter((chain) => !parts.snapshots.has(chain));
    const before = catalog.byId(id);
    await transferLayers(parts, repository, manifest.layers, chains, config, options);
    await content.put(found.data);
    const names = reference.digest === undefined ? [taggedName(reference)] : [];
    const image = await catalog.put({ id, manifest: found.descriptor, layers: manifest.layers }, config, names, [`${repositoryOf(reference)}@${digest}`]);
    if (before) await collector.releaseBlobs([before.manifest.digest, ...before.layers.map((layer) => layer.digest)]);
    const updated = !before || names.some((name) => !before.names.includes(name));
    return { image, digest, updated };
  }));
}

async function transferLayers(parts: PullParts, repository: Repository, layers: readonly Descriptor[], chains: readonly Digest[], config: PullResult['image']['config'], options: PullOptions): Promise<void> {
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
      await download(parts, repository, layer, { ...options, signal });
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

/** Brings a blob into content, from where an earlier attempt stopped. */
async function download({ content, client }: PullParts, repository: Repository, blob: Descriptor, options: PullOptions, limitBytes: number = contentLimits.blobBytes): Promise<void> {
  if (blob.size > limitBytes) throw new Fault('too-large', `blob ${blob.digest} has ${blob.size} bytes, over the limit of ${limitBytes}`);
  if (blob.urls && blob.urls.length > 0) throw new Fault('not-implemented', `layer ${blob.digest} is kept outside of its registry, which is not supported`);
  const attempt = (): Promise<void> => client.downloads.run(blob.digest, async () => {
    if (await content.stat(blob.digest)) return;
    const ingest = await content.ingest(`blob ${blob.digest}`, { digest: blob.digest, size: blob.size });
    try {
      if (ingest.offset < blob.size || blob.size === 0) await fill(ingest, repository, client.parts.clock, blob, options.signal, options.onProgress);
      await ingest.commit();
      options.onProgress?.({ layer: blob.digest, status: 'Verifying Checksum' });
    } catch (error) {
      await ingest.close({ discard: ingest.offset === 0 || !mayPass(error) });
      throw error;
    } finally {
      await ingest.close();
    }
  });
  await repository.retrying(`blob ${blob.digest}`, options.signal, attempt);
}

async function fill(ingest: Awaited<ReturnType<Content['ingest']>>, repository: Repository, clock: Clock, blob: Descriptor, signal: AbortSignal | undefined, onProgress: PullProgress | undefined): Promise<void> {
  const headers: Record<string, string> = ingest.offset > 0 ? { range: `bytes=${ingest.offset}-` } : {};
  const response = await repository.send({ method: 'GET', target: `blobs/${blob.digest}`, headers, signal });
  const begin = /^bytes ([0-9]+)-/.exec(response.headers.get('content-range') ?? '')?.[1];
  if (ingest.offset > 0 && !(response.status === 206 && Number(begin) === ingest.offset)) await ingest.truncate();
  let reported = 0;
  for await (const chunk of piecesOf(response, clock)) {
    await ingest.write(chunk);
    if (ingest.offset - reported < progressBytes) continue;
    reported = ingest.offset;
    onProgress?.({ layer: blob.digest, status: 'Downloading', current: ingest.offset, total: blob.size });
  }
  if (ingest.offset < blob.size) throw new Fault('unavailable', `the transfer of blob ${blob.digest} ended after ${ingest.offset} of ${blob.size} bytes`);
}
