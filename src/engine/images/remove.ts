/** rmi and prune, with Docker's rules on what may go. */
import type { Filters } from '#api/docker/common.ts';
import type { ImageDeleteItem, ImagesPruneResponse } from '#api/docker/images.ts';
import type { Image } from '#core/images/types.ts';
import { familiar, parseReference, taggedName } from '#core/images/reference.ts';
import { Fault, isFault } from '#lib/errors.ts';
import { isRunning, shortId } from '../containers/record.ts';
import { booleanFilter, labelsMatch, untilFilter } from '../filters.ts';
import type { ImageContext } from './context.ts';
import { emitImage, familiarDigests, mustImage } from './context.ts';
import { createdAt } from './list.ts';
import { checkPlatforms } from './platform.ts';

export interface RemoveImageOptions {
  force: boolean;
  /** Take untagged parents along. */
  prune: boolean;
  platforms?: readonly string[];
}

export async function removeImage(context: ImageContext, reference: string, options: RemoveImageOptions): Promise<ImageDeleteItem[]> {
  const image = mustImage(context, reference);
  checkPlatforms(image, reference, options.platforms ?? []);
  const name = isIdOf(image, reference) ? undefined : nameOf(reference);
  const items: ImageDeleteItem[] = [];
  if (name === undefined) {
    const repositories = new Set(image.names.map((n) => n.replace(/:[^:/]+$/, '')));
    if (!options.force && repositories.size > 1) throw refuse(image, 'delete', 'must be forced', 'image is referenced in multiple repositories');
    checkUse(context, image, options.force);
    await untagAll(context, image, items);
  } else {
    if (!options.force && image.names.length <= 1) checkContainers(context, image, reference);
    await untagOne(context, image, name, items);
    const left = context.images.get(image.id);
    if (!left || left.names.length > 0) return items;
  }
  await deleteImage(context, image, options, items, name !== undefined);
  return items;
}

function isIdOf(image: Image, reference: string): boolean {
  return /^(sha256:)?[0-9a-f]+$/.test(reference) && image.id.replace('sha256:', '').startsWith(reference.replace('sha256:', ''));
}

/** The qualified name with its tag; undefined for a digest, which counts as the image's id. */
function nameOf(reference: string): string | undefined {
  const parsed = parseReference(reference);
  return parsed.digest !== undefined && parsed.tag === undefined ? undefined : taggedName(parsed);
}

function refuse(image: Image, what: string, how: string, why: string): Fault {
  return new Fault('conflict', `conflict: unable to ${what} ${shortId(image.id)} (${how}) - ${why}`);
}

/** The last name of an image that a container is made of goes only by force. */
function checkContainers(context: ImageContext, image: Image, reference: string): void {
  const user = context.set.list().find((record) => record.imageId === image.id);
  if (!user) return;
  throw new Fault(
    'conflict',
    `conflict: unable to remove repository reference "${reference}" (must force) - container ${shortId(user.id)} is using its referenced image ${shortId(image.id)}`,
  );
}

/** Whether the image itself may go: never while it runs or others stand on it, by force while stopped containers use it. */
function checkUse(context: ImageContext, image: Image, force: boolean): void {
  const users = context.set.list().filter((record) => record.imageId === image.id);
  const running = users.find(isRunning);
  if (running) throw refuse(image, 'delete', 'cannot be forced', `image is being used by running container ${shortId(running.id)}`);
  if (context.images.list().some((other) => other.parent === image.id)) throw refuse(image, 'delete', 'cannot be forced', 'image has dependent child images');
  const stopped = users[0];
  if (stopped && !force) throw refuse(image, 'delete', 'must be forced', `image is being used by stopped container ${shortId(stopped.id)}`);
}

async function untagOne(context: ImageContext, image: Image, name: string, items: ImageDeleteItem[]): Promise<void> {
  await context.images.untag(name);
  items.push({ Untagged: familiar(name) });
  emitImage(context, 'untag', image.id, image.id, image);
  const repository = name.replace(/:[^:/]+$/, '');
  const last = !image.names.some((other) => other !== name && other.startsWith(`${repository}:`));
  if (last) items.push(...image.digests.filter((d) => d.startsWith(`${repository}@`)).map((d) => ({ Untagged: familiar(d) })));
}

async function untagAll(context: ImageContext, image: Image, items: ImageDeleteItem[]): Promise<void> {
  for (const name of image.names) {
    await context.images.untag(name);
    items.push({ Untagged: familiar(name) });
    emitImage(context, 'untag', image.id, image.id, image);
  }
  items.push(...familiarDigests(image).map((digest) => ({ Untagged: digest })));
}

/** `quiet`: a name went, which is enough; what still uses the image keeps it. */
async function deleteImage(context: ImageContext, image: Image, options: RemoveImageOptions, items: ImageDeleteItem[], quiet: boolean): Promise<void> {
  try {
    checkUse(context, image, options.force);
  } catch (error) {
    if (quiet && isFault(error, 'conflict')) return;
    throw error;
  }
  const parent = image.parent === undefined ? undefined : context.images.get(image.parent);
  const chains = await context.images.remove(image.id);
  emitImage(context, 'delete', image.id, image.id, image);
  items.push({ Deleted: image.id }, ...chains.map((chain) => ({ Deleted: chain })));
  if (options.prune && parent && parent.names.length === 0 && parent.digests.length === 0) {
    await deleteImage(context, parent, { ...options, force: false }, items, true);
  }
}

export async function pruneImages(context: ImageContext, filters: Filters): Promise<ImagesPruneResponse> {
  const danglingOnly = booleanFilter(filters, 'dangling') ?? true;
  const until = untilFilter(filters, context.clock.now());
  const used = new Set(context.set.list().map((record) => record.imageId));
  const before = layerBytes(context);
  const items: ImageDeleteItem[] = [];
  for (const image of context.images.list()) {
    if (used.has(image.id) || (danglingOnly && image.names.length > 0)) continue;
    if (!labelsMatch(image.config.config?.Labels, filters) || (until !== undefined && createdAt(image) >= until)) continue;
    try {
      if (context.images.list().some((other) => other.parent === image.id)) continue;
      await untagAll(context, image, items);
      await deleteImage(context, image, { force: false, prune: true }, items, true);
    } catch (error) {
      // taken into use, or removed, meanwhile
      if (!isFault(error, 'conflict', 'not-found')) throw error;
    }
  }
  const reclaimed = Math.max(0, before - layerBytes(context));
  context.events.emit('image', 'prune', '', { reclaimed: String(reclaimed) });
  return { ImagesDeleted: items.length > 0 ? items : null, SpaceReclaimed: reclaimed };
}

export function layerBytes(context: Pick<ImageContext, 'snapshots'>): number {
  return context.snapshots.layers().reduce((sum, layer) => sum + layer.bytes, 0);
}
