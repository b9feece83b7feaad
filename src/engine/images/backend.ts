/** The images' side of Docker's door. */
import type { Readable } from 'node:stream';
import type { Emit, ImportOptions, LoadOptions, PullOptions, PushOptions } from '#api/docker/calls.ts';
import type { AuthConfig, Filters } from '#api/docker/common.ts';
import type * as api from '#api/docker/images.ts';
import { familiar, parseReference } from '#core/images/reference.ts';
import { Fault } from '#lib/errors.ts';
import type { ImageContext } from './context.ts';
import { emitImage, joinTag, mustImage } from './context.ts';
import type { ListImagesOptions } from './list.ts';
import { imageHistory, inspectImage, listImages } from './list.ts';
import { checkPlatforms } from './platform.ts';
import type { RemoveImageOptions } from './remove.ts';
import { pruneImages, removeImage } from './remove.ts';
import { importImage, loadImages, pullImage, pushImage, registryAuth, saveImages } from './transfer.ts';

export class ImagesBackend {
  readonly #context: ImageContext;

  constructor(context: ImageContext) {
    this.#context = context;
  }

  async list(options: ListImagesOptions): Promise<api.ImageSummary[]> {
    return Promise.resolve(listImages(this.#context, options));
  }

  async inspect(name: string, options: { platform?: string } = {}): Promise<api.ImageInspect> {
    checkPlatforms(mustImage(this.#context, name), name, [options.platform ?? '']);
    return Promise.resolve(inspectImage(this.#context, name));
  }

  async history(name: string, options: { platform?: string } = {}): Promise<api.HistoryItem[]> {
    checkPlatforms(mustImage(this.#context, name), name, [options.platform ?? '']);
    return Promise.resolve(imageHistory(this.#context, name));
  }

  pull(request: PullOptions, emit: Emit, signal: AbortSignal): Promise<void> {
    return pullImage(this.#context, request, emit, signal);
  }

  push(request: PushOptions, emit: Emit, signal: AbortSignal): Promise<void> {
    return pushImage(this.#context, request, emit, signal);
  }

  async tag(name: string, repo: string, tag: string): Promise<void> {
    const image = mustImage(this.#context, name);
    const target = joinTag(repo, tag);
    if (parseReference(target).digest !== undefined) throw new Fault('invalid', 'refusing to create a tag with a digest reference');
    await this.#context.images.tag(image.id, target);
    emitImage(this.#context, 'tag', image.id, familiar(target), image);
  }

  remove(name: string, options: RemoveImageOptions): Promise<api.ImageDeleteItem[]> {
    return removeImage(this.#context, name, options);
  }

  save(names: readonly string[], platforms: readonly string[]): Promise<Readable> {
    return saveImages(this.#context, names, platforms);
  }

  load(body: Readable, options: LoadOptions, emit: Emit, signal: AbortSignal): Promise<void> {
    return loadImages(this.#context, body, options, emit, signal);
  }

  import(request: ImportOptions, body: Readable, emit: Emit): Promise<void> {
    return importImage(this.#context, request, body, emit);
  }

  prune(filters: Filters): Promise<api.ImagesPruneResponse> {
    return pruneImages(this.#context, filters);
  }

  async distribution(name: string, auth: AuthConfig | undefined): Promise<api.DistributionInspect> {
    const { descriptor, platforms } = await this.#context.images.resolveRemote(name, { auth: registryAuth(auth) });
    return { Descriptor: descriptor, Platforms: platforms };
  }
}
