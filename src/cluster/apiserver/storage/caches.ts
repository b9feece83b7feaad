import { deferred } from '#lib/async.ts';
import type { Deferred } from '#lib/async.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { KubeObject } from '#api/kube/types.ts';
import type { Change, Store } from '#core/store/types.ts';
import { prefixEnd } from '#core/store/types.ts';
import type { CacheOptions } from './cache.ts';
import { ObjectCache } from './cache.ts';
import { CachedObject, decodeStored, withRevision } from './object.ts';

export const registryPrefix = '/registry/';
const firstKey = '\0';
const lastKey = '\u{10ffff}';
/** How long after a broken feed the store is read again, in milliseconds. */
const reloadDelayMs = 1000;

/** The caches of all storage folders, fed by one watch of the store: so all of them are at the same revision. */
export class Caches {
  readonly #store: Store;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #byFolder = new Map<string, ObjectCache>();
  /** Objects that this server wrote, until the feed brings their bytes: spares parsing them again. */
  readonly #written = new WeakMap<Uint8Array, KubeObject>();
  readonly #stop = new AbortController();
  #waiting: { revision: number; reached: Deferred<void> }[] = [];
  #revision = 0;
  #feed: Promise<void> = Promise.resolve();

  constructor(tools: { store: Store; log: Logger; clock: Clock }) {
    this.#store = tools.store;
    this.#log = tools.log;
    this.#clock = tools.clock;
  }

  /** Declares a folder (`deployments.apps`), before `start`. */
  add(folder: string, options: Omit<CacheOptions, 'prefix'>): ObjectCache {
    const cache = new ObjectCache({ ...options, prefix: `${registryPrefix}${folder}/` });
    this.#byFolder.set(folder, cache);
    return cache;
  }

  /** The newest revision that all caches show. */
  get revision(): number {
    return this.#revision;
  }

  async start(): Promise<void> {
    await this.#load();
    this.#feed = this.#follow();
  }

  /** Forgets the changes up to `revision`, as a compaction of the store does. */
  forget(revision: number): void {
    for (const cache of this.#byFolder.values()) cache.forget(revision);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    for (const cache of this.#byFolder.values()) cache.endWatches();
    await this.#feed;
    for (const { reached } of this.#waiting) reached.reject(new Fault('unavailable', 'the API server is stopping'));
    this.#waiting = [];
  }

  /** Resolves when the caches show `revision`. */
  async reach(revision: number): Promise<void> {
    if (revision <= this.#revision) return;
    const reached = deferred<void>();
    this.#waiting.push({ revision, reached });
    await reached.promise;
  }

  /** Tells that `object` is about to be written as `bytes`. */
  remember(bytes: Uint8Array, object: KubeObject): void {
    this.#written.set(bytes, object);
  }

  async #load(): Promise<void> {
    const { entries, revision } = await this.#store.range(registryPrefix, prefixEnd(registryPrefix));
    const byCache = new Map<ObjectCache, CachedObject[]>([...this.#byFolder.values()].map((cache) => [cache, []]));
    for (const entry of entries) {
      const cache = this.#cacheOf(entry.key);
      const object = cache && this.#decode(entry.key, entry.modRevision, entry.value);
      if (object) byCache.get(cache)?.push(object);
    }
    for (const [cache, objects] of byCache) cache.load(objects, revision);
    this.#advance(revision);
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        const options = { revision: this.#revision + 1, signal };
        // All keys, so that every revision of the store is reached, whoever wrote it.
        for await (const changes of this.#store.watch(firstKey, lastKey, options)) this.#apply(changes);
        if (signal.aborted) return;
        throw new Fault('unavailable', 'the store ended its watch');
      } catch (error) {
        if (signal.aborted) return;
        this.#log.warn('the watch of the store broke; reading it anew', { error });
        await this.#clock.sleep(reloadDelayMs, signal).catch(() => {});
        await this.#load().catch((again: unknown) => this.#log.error('the store cannot be read', { error: again }));
      }
    }
  }

  #apply(changes: readonly Change[]): void {
    let revision = this.#revision;
    for (const { type, entry } of changes) {
      revision = Math.max(revision, entry.modRevision);
      const cache = this.#cacheOf(entry.key);
      if (!cache) continue;
      if (type === 'delete') cache.remove(entry.key, entry.modRevision);
      else {
        const object = this.#decode(entry.key, entry.modRevision, entry.value);
        if (object) cache.put(object);
      }
    }
    this.#advance(revision);
  }

  /** Undefined for what is no object: one damaged value must not hide all the others. */
  #decode(key: string, revision: number, value: Uint8Array): CachedObject | undefined {
    const written = this.#written.get(value);
    if (written) return new CachedObject(key, revision, withRevision(written, revision), value.byteLength);
    try {
      return decodeStored(key, revision, value);
    } catch (error) {
      this.#log.error('a stored object cannot be read and is left out; remove its key from the store', { key, revision, error });
      return undefined;
    }
  }

  #advance(revision: number): void {
    this.#revision = revision;
    const reached = this.#waiting.filter((w) => w.revision <= revision);
    this.#waiting = this.#waiting.filter((w) => w.revision > revision);
    for (const waiter of reached) waiter.reached.resolve();
  }

  #cacheOf(key: string): ObjectCache | undefined {
    if (!key.startsWith(registryPrefix)) return undefined;
    return this.#byFolder.get(key.slice(registryPrefix.length, key.indexOf('/', registryPrefix.length)));
  }
}
