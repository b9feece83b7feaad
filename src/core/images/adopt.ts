import { mediaTypes } from '#api/oci/image.ts';
import type { ImageConfig, ImageManifest } from '#api/oci/image.ts';
import { Fault } from '#lib/errors.ts';
import type { Content, Descriptor, Digest, Platform } from '#core/content/types.ts';
import { chainsOf } from '#core/snapshots/chain.ts';
import type { Snapshots } from '#core/snapshots/types.ts';
import { manifestLimits, parseConfig, parseManifest } from './manifest.ts';
import { formatPlatform, pickPlatform } from './platform.ts';
import type { PullProgress } from './types.ts';

/** An image's documents, read from content. */
export interface ReadImage {
  descriptor: Descriptor;
  manifest: ImageManifest;
  config: ImageConfig;
}

/** Reads a manifest, or the one of an index that suits `platform`, with its config. */
export async function readImage(content: Content, descriptor: Descriptor, platform: Platform, nesting: number = manifestLimits.nesting): Promise<ReadImage> {
  const what = `manifest ${descriptor.digest}`;
  const parsed = parseManifest(await content.read(descriptor.digest, manifestLimits.bytes), descriptor.mediaType, what);
  if (parsed.kind === 'index') {
    if (nesting === 0) throw new Fault('too-large', `${what}: indexes are nested more than ${manifestLimits.nesting} deep`);
    return readImage(content, choose(parsed.index.manifests, platform, what), platform, nesting - 1);
  }
  const { manifest } = parsed;
  const config = parseConfig(await content.read(manifest.config.digest, manifestLimits.bytes), `config ${manifest.config.digest}`);
  checkLayers(manifest.layers, config, what);
  return { descriptor: { mediaType: descriptor.mediaType, digest: descriptor.digest, size: descriptor.size }, manifest, config };
}

/** The manifest of an index for `platform`; one that names no platforms has the one for all. */
export function choose(manifests: readonly Descriptor[], platform: Platform, what: string): Descriptor {
  const found = pickPlatform(manifests, platform) ?? (manifests.length === 1 && !manifests[0]!.platform ? manifests[0] : undefined);
  if (!found) throw new Fault('not-found', `no matching manifest for ${formatPlatform(platform)} in the manifest list entries of ${what}: no match for platform in manifest: not found`);
  return found;
}

export function checkLayers(layers: readonly Descriptor[], config: ImageConfig, what: string): void {
  if (layers.length !== config.rootfs.diff_ids.length) {
    throw new Fault('invalid', `${what} has ${layers.length} layers, and its config names ${config.rootfs.diff_ids.length}`);
  }
}

/** Unpacks an image's layers, side by side; `ready` resolves when the blob of a layer is there. */
export async function unpackLayers(
  snapshots: Snapshots,
  image: { layers: readonly Descriptor[]; config: ImageConfig },
  options: { onProgress?: PullProgress; signal?: AbortSignal; ready?: (index: number) => Promise<void> } = {},
): Promise<void> {
  const chains = chainsOf(image.config.rootfs.diff_ids);
  const unpackOne = async (index: number): Promise<void> => {
    const layer = image.layers[index]!;
    const onProgress = (current: number): void => options.onProgress?.({ layer: layer.digest, status: 'Extracting', current, total: layer.size });
    await snapshots.unpack(chains[index - 1] ?? '', layer, image.config.rootfs.diff_ids[index]!, { onProgress, signal: options.signal });
    options.onProgress?.({ layer: layer.digest, status: 'Pull complete' });
  };
  const running: Promise<void>[] = [];
  try {
    for (const [index, chain] of chains.entries()) {
      await options.ready?.(index);
      if (snapshots.has(chain)) continue;
      const one = unpackOne(index);
      one.catch(() => {});
      running.push(one);
    }
  } finally {
    await Promise.allSettled(running);
  }
  await Promise.all(running);
}

/** Writes the config and the manifest of an image made here. */
export async function writeImage(content: Content, config: ImageConfig, layers: readonly Descriptor[], data: Uint8Array = encode(config)): Promise<{ id: Digest; manifest: Descriptor }> {
  const id = await content.put(data);
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: id, size: data.length },
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  };
  const bytes = encode(manifest);
  return { id, manifest: { mediaType: mediaTypes.ociManifest, digest: await content.put(bytes), size: bytes.length } };
}

function encode(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
