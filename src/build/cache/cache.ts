import { createHash } from 'node:crypto';
import type { BuildCacheRecord } from '#api/docker/build.ts';
import type { Images } from '#core/images/types.ts';
import type { Snapshots } from '#core/snapshots/types.ts';
import type { Records } from '#core/store/records.types.ts';
import { type Clock, isoTime } from '#lib/clock.ts';
import type { CacheEntry, CachedLayer } from '../types.ts';

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
    return this.#records.put({ ...entry, usedAt: this.#clock.now(), uses: entry.uses + 1 });
  }

  async save(key: string, description: string, layer?: CachedLayer): Promise<CacheEntry> {
    const now = this.#clock.now();
    return this.#records.put({ id: key, description, createdAt: now, usedAt: now, uses: 0, layer });
  }

  /** Forgets all; layers that neither an image nor a container stands on are removed. */
  async prune(inUse: (chain: string) => boolean): Promise<{ deleted: string[]; bytes: number }> {
    const entries = this.#records.list();
    for (const { id } of entries) await this.#records.delete(id);
    const bytes = new Map(this.#snapshots.layers().map((layer) => [layer.chain, layer.bytes]));
    const layers = new Set(entries.flatMap((entry) => entry.layer?.chain ?? []).filter((chain) => !inUse(chain)));
    const removed = await this.#images.removeLayers([...layers]);
    return { deleted: entries.map(({ id }) => id), bytes: removed.reduce((sum, chain) => sum + (bytes.get(chain) ?? 0), 0) };
  }

  /** For the start: removes layers that were made, and that neither an image nor a step has: a crash came between. */
  async sweep(): Promise<void> {
    const parents = new Map(this.#snapshots.layers().map((layer) => [layer.chain, layer.parent]));
    const cached = new Set<string>();
    for (const { layer } of this.#records.list()) {
      for (let chain = layer?.chain; chain && !cached.has(chain); chain = parents.get(chain)) cached.add(chain);
    }
    await this.#images.removeLayers([...parents.keys()].filter((chain) => !cached.has(chain)));
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
