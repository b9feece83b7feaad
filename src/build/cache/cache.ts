import { createHash } from 'node:crypto';
import type { BuildCacheRecord, BuildPruneOptions } from '#api/docker/build.ts';
import type { Filters } from '#api/docker/common.ts';
import type { Images } from '#core/images/types.ts';
import type { ChainId, Snapshots } from '#core/snapshots/types.ts';
import type { Records } from '#core/store/records.types.ts';
import { type Clock, isoTime } from '#lib/clock.ts';
import type { CacheEntry, CachedLayer } from '../types.ts';
import { chooseSteps } from './choice.ts';

/** A cache key from the key before and all that the step's result depends on. */
export function cacheKey(previous: string, ...parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify([previous, ...parts])).digest('hex');
}

/** Steps made before, by their keys. A layer that has gone meanwhile is a miss. */
export class BuildCache {
  readonly #records: Records<CacheEntry>;
  readonly #snapshots: Snapshots;
  readonly #images: Images;
  readonly #clock: Clock;
  /** Uses that are being written. */
  readonly #noting = new Set<Promise<unknown>>();

  constructor(records: Records<CacheEntry>, { snapshots, images, clock }: { snapshots: Snapshots; images: Images; clock: Clock }) {
    this.#records = records;
    this.#snapshots = snapshots;
    this.#images = images;
    this.#clock = clock;
  }

  async find(key: string): Promise<CacheEntry | undefined> {
    const entry = this.#records.get(key);
    if (!entry) return undefined;
    if (entry.layer && !this.#snapshots.has(entry.layer.chain)) {
      await this.#records.delete(key);
      return undefined;
    }
    const used = { ...entry, usedAt: this.#clock.now(), uses: entry.uses + 1 };
    // a step does not wait for the note that the one before was used
    const noted = this.#records.put(used).finally(() => this.#noting.delete(noted));
    this.#noting.add(noted);
    noted.catch(() => {});
    return used;
  }

  /** Resolves when the uses so far are written. */
  async noted(): Promise<void> {
    await Promise.all(this.#noting);
  }

  async save(key: string, description: string, layer?: CachedLayer): Promise<CacheEntry> {
    const now = this.#clock.now();
    return this.#records.put({ id: key, description, createdAt: now, usedAt: now, uses: 0, layer });
  }

  /** Forgets steps; layers that neither an image, a container, a running build (`inUse`) nor another step stands on are removed. */
  async prune(options: BuildPruneOptions, filters: Filters, inUse: (chain: string) => boolean): Promise<{ deleted: string[]; bytes: number }> {
    const layers = this.#snapshots.layers();
    const bytes = new Map<string, number>(layers.map((layer) => [layer.chain, layer.bytes]));
    const stoodOn = this.#withParents(layers.map((layer) => layer.chain).filter(inUse));
    const chosen = chooseSteps({
      entries: this.#records.list(),
      options,
      filters,
      bytesOf: ({ layer }) => bytes.get(layer?.chain ?? '') ?? 0,
      isStoodOn: ({ layer }) => layer !== undefined && stoodOn.has(layer.chain),
      now: this.#clock.now(),
    });
    for (const { id } of chosen) await this.#records.delete(id);
    const kept = new Set(this.#records.list().flatMap((entry) => entry.layer?.chain ?? []));
    const free = new Set(chosen.flatMap((entry) => entry.layer?.chain ?? []).filter((chain) => !inUse(chain) && !kept.has(chain)));
    const removed = await this.#images.removeLayers([...free]);
    return { deleted: chosen.map(({ id }) => id), bytes: removed.reduce((sum, chain) => sum + (bytes.get(chain) ?? 0), 0) };
  }

  /** For the start: removes layers that were made, and that neither an image nor a step has: a crash came between. */
  async sweep(): Promise<void> {
    const cached = this.#withParents(this.#records.list().flatMap((entry) => entry.layer?.chain ?? []));
    await this.#images.removeLayers(this.#snapshots.layers().map((layer) => layer.chain).filter((chain) => !cached.has(chain)));
  }

  /** Layers, and all that they stand on. */
  #withParents(chains: readonly ChainId[]): Set<string> {
    const parents = new Map(this.#snapshots.layers().map((layer) => [layer.chain, layer.parent]));
    const found = new Set<string>();
    for (const top of chains) {
      for (let chain: ChainId | undefined = top; chain && !found.has(chain); chain = parents.get(chain)) found.add(chain);
    }
    return found;
  }

  list(): BuildCacheRecord[] {
    const layers = new Map(this.#snapshots.layers().map((l) => [l.chain, l.bytes]));
    return this.#records.list().map((entry) => ({
      ID: entry.id,
      Type: 'regular',
      Description: entry.description,
      InUse: false,
      Shared: false,
      Size: entry.layer ? (layers.get(entry.layer.chain) ?? 0) : 0,
      CreatedAt: isoTime(entry.createdAt),
      LastUsedAt: isoTime(entry.usedAt),
      UsageCount: entry.uses,
    }));
  }
}
