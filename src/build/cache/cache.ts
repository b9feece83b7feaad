import { createHash } from 'node:crypto';
import type { BuildCacheRecord } from '#api/docker/build.ts';
import type { Snapshots } from '#core/snapshots/types.ts';
import type { Records } from '#core/store/records.types.ts';
import { type Clock, isoTime } from '#lib/clock.ts';
import { isFault } from '#lib/errors.ts';
import type { CacheEntry, CachedLayer } from '../types.ts';

/** A cache key from the key before and all that the step's result depends on. */
export function cacheKey(previous: string, ...parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify([previous, ...parts])).digest('hex');
}

/** Steps made before, by their keys. A layer that has gone meanwhile is a miss. */
export class BuildCache {
  readonly #records: Records<CacheEntry>;
  readonly #snapshots: Snapshots;
  readonly #clock: Clock;

  constructor(records: Records<CacheEntry>, snapshots: Snapshots, clock: Clock) {
    this.#records = records;
    this.#snapshots = snapshots;
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
    const deleted: string[] = [];
    for (const entry of entries) {
      await this.#records.delete(entry.id);
      deleted.push(entry.id);
    }
    const bytes = await this.#removeLayers(entries.flatMap((e) => e.layer ?? []), inUse);
    return { deleted, bytes };
  }

  /** Children before parents: what stands on another layer is `conflict`, so go round until nothing changes. */
  async #removeLayers(layers: CachedLayer[], inUse: (chain: string) => boolean): Promise<number> {
    let bytes = 0;
    let pending = layers.filter((l) => !inUse(l.chain));
    for (let before = -1; pending.length !== before; ) {
      before = pending.length;
      const left: CachedLayer[] = [];
      for (const layer of pending) {
        if (!this.#snapshots.has(layer.chain)) continue;
        try {
          const usage = await this.#snapshots.usage(layer.chain);
          await this.#snapshots.removeLayer(layer.chain);
          bytes += usage.bytes;
        } catch (error) {
          if (!isFault(error, 'conflict')) throw error;
          left.push(layer);
        }
      }
      pending = left;
    }
    return bytes;
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
