import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Emit } from '#api/docker/calls.ts';
import type { BuildCacheRecord, BuildOptions, BuildPruneOptions, BuildPruneResponse } from '#api/docker/build.ts';
import type { Filters, JsonMessage } from '#api/docker/common.ts';
import { rlimitsOf } from '#api/docker/ulimits.ts';
import { Semaphore } from '#lib/async.ts';
import { Fault } from '#lib/errors.ts';
import { hex } from '#lib/random.ts';
import { BuildCache } from './cache/cache.ts';
import { buildFrom } from './solve/build.ts';
import { removeLeftovers } from './solve/leftovers.ts';
import { buildLimits, type Builder, type BuilderOptions, type CacheEntry } from './types.ts';

/** Opens the builder at `options.root`; what builds cut off by a crash left there is removed. */
export async function openBuilder(options: BuilderOptions): Promise<Builder> {
  await removeLeftovers(options);
  const records = await options.records<CacheEntry>('build-cache');
  const cache = new BuildCache(records, options);
  await cache.sweep();
  return new ClassicBuilder(options, cache);
}

class ClassicBuilder implements Builder {
  readonly #options: BuilderOptions;
  readonly #cache: BuildCache;
  readonly #gate = new Semaphore(buildLimits.builds);
  readonly #running = new Map<string, AbortController>();
  readonly #kept = new Set<Set<string>>();

  constructor(options: BuilderOptions, cache: BuildCache) {
    this.#options = options;
    this.#cache = cache;
  }

  async build(options: BuildOptions, context: Readable | undefined, emit: Emit, signal: AbortSignal): Promise<void> {
    refuseUnsupported(options, context);
    await this.#gate.run(() => this.#build(options, context as Readable, emit, signal));
  }

  async #build(options: BuildOptions, context: Readable, emit: Emit, signal: AbortSignal): Promise<void> {
    const id = options.buildId || hex(this.#options.random, 16);
    const cancel = new AbortController();
    this.#running.set(id, cancel);
    const kept = new Set<string>();
    this.#kept.add(kept);
    const directory = join(this.#options.root, 'contexts', hex(this.#options.random, 16));
    const held = options.quiet ? new HeldOutput() : undefined;
    const said: Emit = held ? (message) => held.add(message) : emit;
    try {
      const run = { builder: this.#options, cache: this.#cache, options, directory, kept, emit: said, signal: AbortSignal.any([signal, cancel.signal]) };
      const image = await buildFrom(run, context);
      await this.#cache.noted();
      if (options.quiet) emit({ stream: `${image.id}\n` });
      this.#options.onImage?.(image.id, options.tags);
    } catch (error) {
      // a quiet build that fails says why after all
      held?.messages.forEach(emit);
      throw error;
    } finally {
      this.#running.delete(id);
      this.#kept.delete(kept);
      await rm(directory, { recursive: true, force: true });
    }
  }

  async prune(options: BuildPruneOptions, filters: Filters): Promise<BuildPruneResponse> {
    const used = new Set(this.#options.images.list().map((i) => i.chain as string));
    const { deleted, bytes } = await this.#cache.prune(options, filters, (chain) => used.has(chain) || [...this.#kept].some((kept) => kept.has(chain)));
    return { CachesDeleted: deleted, SpaceReclaimed: bytes };
  }

  async cancel(id: string): Promise<void> {
    const running = this.#running.get(id);
    if (!running) throw new Fault('not-found', `no build ${id} is running`);
    running.abort(new Fault('canceled', 'the build was canceled'));
  }

  async records(): Promise<BuildCacheRecord[]> {
    return this.#cache.list();
  }
}

/** The newest output of a quiet build. */
class HeldOutput {
  readonly messages: JsonMessage[] = [];
  #length = 0;

  add(message: JsonMessage): void {
    this.messages.push(message);
    this.#length += message.stream?.length ?? 0;
    while (this.#length > buildLimits.heldCharacters) this.#length -= this.messages.shift()?.stream?.length ?? 0;
  }
}

/** What cannot be built at all, before anything of the context is read. */
function refuseUnsupported(options: BuildOptions, context: Readable | undefined): void {
  if (options.version === '2') throw new Fault('not-implemented', 'BuildKit builds (version=2) are not implemented: use DOCKER_BUILDKIT=0');
  if (options.remote !== '' || !context) throw new Fault('not-implemented', 'building from a remote URL is not implemented: fetch it and build from the directory');
  if (options.squash) throw new Fault('not-implemented', 'build --squash is not implemented: use a last stage that copies from the one before');
  rlimitsOf(options.resources.ulimits);
}
