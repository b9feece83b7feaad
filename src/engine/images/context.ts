/** What the parts of the images' room share. */
import type { Image } from '#core/images/types.ts';
import { familiar, familiarString, parseReference } from '#core/images/reference.ts';
import { Fault } from '#lib/errors.ts';
import type { ContainerSet } from '../containers/set.ts';
import type { EventLog } from '../events/log.ts';
import type { EngineOptions } from '../types.ts';

export interface ImageContext extends EngineOptions {
  set: ContainerSet;
  events: EventLog;
}

/** The image, or Docker's `No such image`. */
export function mustImage(context: Pick<ImageContext, 'images'>, reference: string): Image {
  const image = context.images.get(reference);
  if (!image) throw new Fault('not-found', `No such image: ${shownReference(reference)}`);
  return image;
}

/** The name that is asked for, with the tag that it means. */
function shownReference(reference: string): string {
  try {
    const parsed = parseReference(reference);
    return familiarString(parsed.tag === undefined && parsed.digest === undefined ? { ...parsed, tag: 'latest' } : parsed);
  } catch {
    return reference;
  }
}

export function emitImage(context: Pick<ImageContext, 'events'>, action: string, id: string, name: string, image?: Image): void {
  context.events.emit('image', action, id, { ...image?.config.config?.Labels, name });
}

/** `name` with `tag`, which may be a digest; '' leaves it. */
export function joinTag(name: string, tag: string): string {
  if (tag === '') return name;
  return tag.includes(':') ? `${name}@${tag}` : `${name}:${tag}`;
}

export function familiarNames(image: Image): string[] {
  return image.names.map(familiar);
}

/** `repository@digest` in familiar form. */
export function familiarDigests(image: Image): string[] {
  return image.digests.map(familiar);
}
