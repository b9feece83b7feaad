/** GET /images/json, inspect and history. */
import type { HistoryItem, ImageInspect, ImageSummary } from '#api/docker/images.ts';
import type { Filters } from '#api/docker/common.ts';
import type { Image } from '#core/images/types.ts';
import { familiar, parseReference, familiarName } from '#core/images/reference.ts';
import { isoTime } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import { anyOf, booleanFilter, labelsMatch, untilFilter } from '../filters.ts';
import type { ImageContext } from './context.ts';
import { graphDriver } from './graph-driver.ts';
import { familiarDigests, familiarNames, mustImage } from './context.ts';

export interface ListImagesOptions {
  all: boolean;
  filters: Filters;
  sharedSize: boolean;
}

export function listImages(context: ImageContext, options: ListImagesOptions): ImageSummary[] {
  const all = context.images.list();
  const parents = new Set(all.map((image) => image.parent));
  const matches = imageMatcher(context, options.filters);
  const dangling = booleanFilter(options.filters, 'dangling');
  return all
    .filter((image) => {
      const unnamed = image.names.length === 0 && image.digests.length === 0;
      // the steps of a build are images too, shown only with `all`
      if (unnamed && parents.has(image.id) && !options.all) return false;
      if (dangling !== undefined && (image.names.length === 0) !== dangling) return false;
      return matches(image);
    })
    .map((image) => summary(context, image, all, options));
}

/** With a `reference` filter, only the names that it asks for are shown. */
function summary(context: ImageContext, image: Image, all: readonly Image[], { filters, sharedSize }: ListImagesOptions): ImageSummary {
  const asked = (name: string): boolean => anyOf(filters, 'reference', (pattern) => referenceMatches(name, pattern));
  return {
    Id: image.id,
    ParentId: image.parent ?? '',
    RepoTags: image.names.filter(asked).map(familiar),
    RepoDigests: image.digests.filter(asked).map(familiar),
    Created: Math.floor(createdAt(image) / 1000),
    Size: image.size,
    SharedSize: sharedSize ? sharedBytes(context, image, all) : -1,
    Labels: image.config.config?.Labels ?? null,
    Containers: context.set.list().filter((record) => record.imageId === image.id).length,
  };
}

/** Bytes of layers that other images have too. */
function sharedBytes(context: ImageContext, image: Image, all: readonly Image[]): number {
  const others = new Set(all.filter((other) => other !== image).flatMap((other) => other.config.rootfs.diff_ids));
  const layers = context.snapshots.layers();
  return image.config.rootfs.diff_ids
    .filter((diffId) => others.has(diffId))
    .reduce((sum, diffId) => sum + (layers.find((layer) => layer.diffId === diffId)?.bytes ?? 0), 0);
}

export function createdAt(image: Image): number {
  const at = Date.parse(image.config.created ?? '');
  return Number.isNaN(at) ? 0 : at;
}

function imageMatcher(context: ImageContext, filters: Filters): (image: Image) => boolean {
  const bound = (key: string): number | undefined => {
    const value = filters[key]?.[0];
    return value === undefined ? undefined : createdAt(mustImage(context, value));
  };
  const before = bound('before');
  const since = bound('since');
  const until = untilFilter(filters, context.clock.now());
  return (image) =>
    labelsMatch(image.config.config?.Labels, filters) &&
    (before === undefined || createdAt(image) < before) &&
    (since === undefined || createdAt(image) > since) &&
    (until === undefined || createdAt(image) < until) &&
    anyOf(filters, 'reference', (pattern) => [...image.names, ...image.digests].some((name) => referenceMatches(name, pattern)));
}

/** `pattern` is a glob over the familiar name with or without its tag; `*` stops at a slash. */
export function referenceMatches(name: string, pattern: string): boolean {
  if (pattern.length > 256) throw new Fault('invalid', "invalid filter 'reference': the pattern is longer than 256 characters");
  const glob = new RegExp(`^${pattern.replace(/[.+^${}()|\\]/g, '\\$&').replace(/\*/g, '[^/]*').replace(/\?/g, '[^/]')}$`);
  const parsed = parseReference(name);
  return [familiar(name), familiarName(parsed), name, `${parsed.domain}/${parsed.path}`].some((form) => glob.test(form));
}

export function inspectImage(context: ImageContext, name: string): ImageInspect {
  const image = mustImage(context, name);
  const { config } = image;
  return {
    Id: image.id,
    RepoTags: familiarNames(image),
    RepoDigests: familiarDigests(image),
    Parent: image.parent ?? '',
    Comment: config.comment ?? config.history?.at(-1)?.comment ?? '',
    Created: config.created ?? '',
    DockerVersion: config.docker_version ?? '',
    Author: config.author ?? '',
    Config: config.config ?? {},
    Architecture: config.architecture,
    ...(config.variant ? { Variant: config.variant } : {}),
    Os: config.os,
    ...(config['os.version'] ? { OsVersion: config['os.version'] } : {}),
    Size: image.size,
    GraphDriver: graphDriver(context.snapshots.directories(image.chain)),
    RootFS: { Type: 'layers', Layers: [...config.rootfs.diff_ids] },
    Metadata: { LastTagTime: isoTime(image.taggedAt) },
  };
}

/** Newest first. Ids are known for the image itself and for the images that it was built from. */
export function imageHistory(context: ImageContext, name: string): HistoryItem[] {
  const image = mustImage(context, name);
  const sizes = new Map(context.snapshots.layers().map((layer) => [layer.diffId as string, layer.bytes]));
  let layer = 0;
  const steps = (image.config.history ?? []).map((step) => {
    const diffId = step.empty_layer ? undefined : image.config.rootfs.diff_ids[layer++];
    return { step, size: diffId === undefined ? 0 : (sizes.get(diffId) ?? 0) };
  });
  let current: Image | undefined = image;
  return steps.reverse().map(({ step, size }) => {
    const own = current;
    current = own?.parent === undefined ? undefined : context.images.get(own.parent);
    return {
      Id: own?.id ?? '<missing>',
      Created: Math.floor((Date.parse(step.created ?? '') || 0) / 1000),
      CreatedBy: step.created_by ?? '',
      Tags: own && own.names.length > 0 ? familiarNames(own) : null,
      Size: size,
      Comment: step.comment ?? '',
    };
  });
}
