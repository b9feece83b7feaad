/**
 * Makes room on the node's disk: images that no pod uses go, the longest unused first, by the kubelet's rules. Only those that
 * were brought for pods alone are the node's to remove, and of what was built in the cluster only builds that have lost
 * their name: what has one may be the last copy (docs/decisions/0009).
 */
import { every } from '#lib/clock.ts';
import type { Timer } from '#lib/clock.ts';
import type { Image } from '#core/images/types.ts';
import { owner } from '../types.ts';
import type { ImageCollection, NodeContext } from '../types.ts';

export const defaultCollection: ImageCollection = { highPercent: 85, lowPercent: 80, leastAgeMs: 2 * 60_000, everyMs: 5 * 60_000 };

/** Looks now and then. */
export function collectImages(node: NodeContext): Timer {
  const collection = node.imageCollection ?? defaultCollection;
  return every(node.clock, collection.everyMs, () => lookAtImages(node, collection).catch((error: unknown) => node.log.warn('images cannot be removed', { error })));
}

/** Bytes to free; 0 while the disk has room. */
export function bytesToFree({ total, available }: { total: number; available: number }, { highPercent, lowPercent }: ImageCollection): number {
  if (total <= 0 || ((total - available) / total) * 100 < highPercent) return 0;
  return Math.max(0, Math.round((total * (100 - lowPercent)) / 100) - available);
}

/** What may go, in the order in which it goes. */
export function removable(images: readonly Image[], used: ReadonlyMap<string, number>, now: number, { leastAgeMs }: ImageCollection): Image[] {
  const lastUsed = (image: Image): number => used.get(image.id) ?? image.taggedAt;
  return images
    .filter((image) => image.owner === owner && (image.digests.length > 0 || image.names.length === 0))
    .filter((image) => now - Math.max(lastUsed(image), image.taggedAt) >= leastAgeMs)
    .toSorted((a, b) => lastUsed(a) - lastUsed(b) || a.taggedAt - b.taggedAt);
}

export async function lookAtImages(node: NodeContext, collection: ImageCollection): Promise<void> {
  const { clock, core, imagesUsed } = node;
  const { images } = core;
  const now = clock.now();
  for (const id of imagesUsed.keys()) if (!images.get(id)) imagesUsed.delete(id);
  for (const image of images.list()) if (isUsed(node, image)) imagesUsed.set(image.id, now);
  const wanted = bytesToFree(core.kernel.files.space(node.root), collection);
  if (wanted === 0) return;
  let freed = 0;
  for (const { id } of removable(images.list(), imagesUsed, now, collection)) {
    if (freed >= wanted) break;
    const image = images.get(id);
    // A pod may have begun to use it meanwhile.
    if (!image || isUsed(node, image) || (imagesUsed.get(id) ?? 0) >= now) continue;
    freed += await removeImage(node, image);
    imagesUsed.delete(id);
  }
  node.log.info('images were removed to make room', { wanted, freed });
  if (freed >= wanted) return;
  node.recorder.node('Warning', 'FreeDiskSpaceFailed', `Failed to garbage collect required amount of images. Attempted to free ${wanted} bytes, but only found ${freed} bytes eligible to free.`);
}

/** Whether the files of any container stand on it, of a pod or not, that runs or ended. */
function isUsed({ core }: NodeContext, image: Image): boolean {
  return core.snapshots.active().some(({ parent }) => parent === image.chain);
}

/** The bytes that went with it: layers and blobs that other images need do not. */
async function removeImage({ core, log }: NodeContext, image: Image): Promise<number> {
  const layers = new Map(core.snapshots.layers().map((layer) => [layer.chain, layer.bytes + layer.blob.size]));
  const removed = await core.images.remove(image.id);
  const bytes = removed.reduce((sum, chain) => sum + (layers.get(chain) ?? 0), 0);
  log.info('an unused image was removed', { id: image.id, names: image.names.join(' '), bytes });
  return bytes;
}
