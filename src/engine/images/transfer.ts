/** Pull, push, load, save and import, with Docker's progress lines. */
import { Readable } from 'node:stream';
import type { Emit, ImportOptions, LoadOptions, PullOptions, PushOptions } from '#api/docker/calls.ts';
import type { AuthConfig, JsonMessage } from '#api/docker/common.ts';
import type { ImageConfig } from '#api/oci/image.ts';
import { hostPlatform, parsePlatform } from '#core/images/platform.ts';
import { familiar, familiarName, familiarString, parseReference } from '#core/images/reference.ts';
import type { Reference } from '#core/images/reference.ts';
import type { PullOptions as RegistryPull, PullProgress, RegistryAuth } from '#core/images/types.ts';
import { isoTime } from '#lib/clock.ts';
import { Fault, isFault } from '#lib/errors.ts';
import { hex } from '#lib/random.ts';
import { decompress } from '#lib/tar/decompress.ts';
import { shortId } from '../containers/record.ts';
import { applyChanges } from './change-instructions.ts';
import type { ImageContext } from './context.ts';
import { emitImage, joinTag, mustImage } from './context.ts';
import { checkHostPlatform, checkPlatforms } from './platform.ts';
import { storeLayer } from '#core/snapshots/layer-blob.ts';

/** One image, or (neither tag nor digest: `docker pull -a`) each tag of a repository. */
export async function pullImage(context: ImageContext, request: PullOptions, emit: Emit, signal: AbortSignal): Promise<void> {
  const reference = parseReference(joinTag(request.name, request.tag));
  const shown = familiarString(reference);
  const options = { auth: registryAuth(request.auth), ...(request.platform === '' ? {} : { platform: parsePlatform(request.platform) }), signal };
  const isOne = reference.tag !== undefined || reference.digest !== undefined;
  const wanted = isOne ? [reference] : (await refused(shown, context.images.listTags(shown, options))).map((tag) => ({ ...reference, tag }));
  if (wanted.length === 0) throw new Fault('not-found', `${shown} has no tag at its registry`);
  let isNewer = false;
  for (const one of wanted) isNewer = (await pullOne(context, one, options, emit)) || isNewer;
  emit({ status: isNewer ? `Status: Downloaded newer image for ${shown}` : `Status: Image is up to date for ${shown}` });
}

/** That a registry wants other credentials is not said by 401: at that the CLI asks the user for a password, and docker's own daemon never says it. */
async function refused<T>(name: string, pull: Promise<T>): Promise<T> {
  try {
    return await pull;
  } catch (error) {
    if (!isFault(error, 'unauthenticated')) throw error;
    throw new Fault('not-found', `pull access denied for ${name}, repository does not exist or may require 'docker login': ${error.message}`, { cause: error });
  }
}

/** Whether it was not here, or another one was. */
async function pullOne(context: ImageContext, wanted: Reference, options: RegistryPull, emit: Emit): Promise<boolean> {
  const shown = familiarString(wanted);
  let begun = false;
  // said once the registry has answered, so that an unknown image is an HTTP error
  const begin = (): void => {
    if (!begun) emit({ status: `Pulling from ${wanted.domain === 'docker.io' ? wanted.path : familiarName(wanted)}`, id: wanted.tag ?? wanted.digest ?? '' });
    begun = true;
  };
  const onProgress: PullProgress = (event) => {
    begin();
    emit(progressLine(event));
  };
  const { image, digest, updated } = await refused(familiarName(wanted), context.images.pull(shown, { ...options, onProgress }));
  begin();
  emit({ status: `Digest: ${digest}` });
  emitImage(context, 'pull', shown, familiarName(wanted), image);
  return updated;
}

export function registryAuth(auth: AuthConfig | undefined): RegistryAuth | undefined {
  if (!auth) return undefined;
  return {
    username: auth.username,
    password: auth.password,
    identityToken: auth.identitytoken,
    registryToken: auth.registrytoken,
    serverAddress: auth.serveraddress,
  };
}

function progressLine(event: Parameters<PullProgress>[0]): JsonMessage {
  const detail = event.current === undefined && event.total === undefined ? {} : { current: event.current, total: event.total };
  return { status: event.status, progressDetail: detail, ...(event.layer === undefined ? {} : { id: shortId(event.layer) }) };
}

export async function pushImage(context: ImageContext, request: PushOptions, emit: Emit, signal: AbortSignal): Promise<void> {
  const reference = parseReference(joinTag(request.name, request.tag));
  const here = context.images.get(familiarString(reference));
  if (here) checkPlatforms(here, familiarString(reference), [request.platform]);
  const repository = `${reference.domain}/${reference.path}`;
  emit({ status: `The push refers to repository [${repository}]` });
  const tags = reference.tag === undefined ? tagsOf(context, repository) : [reference.tag];
  if (tags.length === 0) throw new Fault('not-found', `An image does not exist locally with the tag: ${familiarName(reference)}`);
  for (const tag of tags) {
    const name = familiarString({ ...reference, digest: undefined, tag });
    const onProgress: PullProgress = (event) => emit(progressLine(event));
    const { digest, size } = await context.images.push(name, { auth: registryAuth(request.auth), onProgress, signal }).catch((error: unknown) => {
      if (isFault(error, 'unauthenticated')) throw new Fault('forbidden', error.message, { cause: error });
      throw error;
    });
    emit({ status: `${tag}: digest: ${digest} size: ${size}` });
    emit({ progressDetail: {}, aux: { Tag: tag, Digest: digest, Size: size } });
    emitImage(context, 'push', name, familiarName(reference), context.images.get(name));
  }
}

function tagsOf(context: ImageContext, repository: string): string[] {
  const prefix = `${repository}:`;
  return context.images.list().flatMap((image) => image.names.filter((n) => n.startsWith(prefix)).map((n) => n.slice(prefix.length))).sort();
}

export async function loadImages(context: ImageContext, body: Readable, options: LoadOptions, emit: Emit, signal: AbortSignal): Promise<void> {
  checkHostPlatform(options.platforms);
  const onProgress: PullProgress = (event) => {
    if (!options.quiet) emit(progressLine(event));
  };
  for (const { image, names } of await context.images.load(body, { onProgress, signal })) {
    for (const name of names) emit({ stream: `Loaded image: ${familiar(name)}\n` });
    if (names.length === 0) emit({ stream: `Loaded image ID: ${image.id}\n` });
    emitImage(context, 'load', image.id, names[0] === undefined ? image.id : familiar(names[0]), image);
  }
}

export async function saveImages(context: ImageContext, names: readonly string[], platforms: readonly string[]): Promise<Readable> {
  if (names.length === 0) throw new Fault('invalid', 'no images given to save');
  const found = names.map((name) => mustImage(context, name));
  for (const [i, image] of found.entries()) checkPlatforms(image, names[i] ?? '', platforms);
  const archive = await context.images.save(names);
  for (const image of found) emitImage(context, 'save', image.id, image.id, image);
  return archive;
}

export async function importImage(context: ImageContext, request: ImportOptions, body: Readable, emit: Emit): Promise<void> {
  if (request.source !== '-') throw new Fault('not-implemented', `import from ${request.source || 'nowhere'} is not implemented by Gantry; fetch the file and send it as standard input (docker import -)`);
  const names = request.repo === '' ? [] : [joinTag(request.repo, request.tag)];
  names.forEach(parseReference);
  const platform = request.platform === '' ? hostPlatform() : parsePlatform(request.platform);
  const config = applyChanges({}, request.changes);
  const { descriptor, diffId } = await storeLayer(context.images.content, decompress(body), `import-${hex(context.random, 16)}`);
  const created = isoTime(context.clock.now());
  const comment = request.message || 'Imported from -';
  const imageConfig: ImageConfig = {
    created,
    architecture: platform.architecture,
    os: platform.os,
    ...(platform.variant ? { variant: platform.variant } : {}),
    config,
    rootfs: { type: 'layers', diff_ids: [diffId] },
    history: [{ created, comment }],
    comment,
  };
  const image = await context.images.assemble(imageConfig, [descriptor], names);
  emit({ status: image.id });
  emitImage(context, 'import', image.id, names[0] ?? image.id, image);
}
