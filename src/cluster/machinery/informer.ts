import { Backoff } from '#lib/backoff.ts';
import { deferred } from '#lib/async.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault, isFault } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { KubeClient, ResourceRef } from '#client/kube/types.ts';
import { deepFreeze } from './freeze.ts';
import type { ApiObject, Informer, ObjectChange } from './types.ts';
import { keyOf } from './types.ts';

/** Between failed lists or watches, in milliseconds. */
const firstRetryMs = 100;
const longestRetryMs = 10_000;
/** Objects of one page of a list. */
const pageItems = 500;

export interface InformerOptions {
  client: KubeClient;
  ref: ResourceRef;
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
}

/** Begins at once. */
export function createInformer<T extends ApiObject>(options: InformerOptions): Informer<T> {
  return new ListWatchInformer<T>(options);
}

class ListWatchInformer<T extends ApiObject> implements Informer<T> {
  readonly ref: ResourceRef;
  readonly #options: InformerOptions;
  readonly #synced = deferred<void>();
  readonly #objects = new Map<string, T>();
  readonly #indexes = new Map<string, { valuesOf: (object: T) => readonly string[]; filed: Map<string, Map<string, T>> }>();
  readonly #handlers: ((change: ObjectChange<T>) => void)[] = [];
  readonly done: Promise<void>;
  /** Empty where only a list can tell what is. */
  #resourceVersion = '';

  constructor(options: InformerOptions) {
    this.#options = options;
    this.ref = options.ref;
    // Whoever waits for it is told; nobody has to.
    this.#synced.promise.catch(() => {});
    this.done = this.#run().then(() => {
      this.#synced.reject(new Fault('canceled', `the informer of ${this.ref.resource} was stopped before its first list`));
    });
  }

  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  resourceVersion(): string {
    return this.#resourceVersion;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(): readonly T[] {
    return [...this.#objects.values()];
  }

  byIndex(index: string, value: string): readonly T[] {
    const held = this.#indexes.get(index);
    if (!held) throw new Error(`assertion failed: the informer of ${this.ref.resource} has no index ${index}`);
    return [...(held.filed.get(value)?.values() ?? [])];
  }

  addIndex(index: string, valuesOf: (object: T) => readonly string[]): void {
    if (this.#indexes.has(index)) return;
    this.#indexes.set(index, { valuesOf, filed: new Map() });
    for (const [key, object] of this.#objects) this.#file(index, key, undefined, object);
  }

  onChange(handler: (change: ObjectChange<T>) => void): void {
    this.#handlers.push(handler);
    for (const object of this.#objects.values()) this.#call(handler, { type: 'ADDED', object });
  }

  async #run(): Promise<void> {
    const { clock, signal } = this.#options;
    const backoff = new Backoff(firstRetryMs, longestRetryMs);
    while (!signal.aborted) {
      try {
        if (this.#resourceVersion === '') await this.#listAll();
        this.#synced.resolve();
        await this.#follow(() => backoff.reset());
      } catch (error) {
        if (signal.aborted) return;
        this.#brokeOff(error);
      }
      await clock.sleep(backoff.next(), signal).catch(() => {});
    }
  }

  #brokeOff(error: unknown): void {
    const { log } = this.#options;
    const { resource } = this.ref;
    // A connection that broke loses nothing: the next watch goes on from the same revision.
    if (isFault(error, 'unavailable', 'timeout') && this.#resourceVersion !== '') {
      log.debug('a watch broke off; watching on', { resource, error });
      return;
    }
    this.#resourceVersion = '';
    if (isFault(error, 'expired')) log.debug('a watch is too old; listing again', { resource });
    else log.warn('a resource cannot be followed; trying again', { resource, error });
  }

  async #listAll(): Promise<void> {
    const { client, signal, namespace, labelSelector, fieldSelector } = this.#options;
    const items: T[] = [];
    let next: string | undefined;
    let version = '';
    do {
      const page = await client.list<T>(this.ref, { namespace, labelSelector, fieldSelector, limit: pageItems, ...(next && { continue: next }), signal });
      for (const item of page.items) items.push(item);
      version = page.metadata.resourceVersion ?? '';
      next = page.metadata.continue;
    } while (next);
    const kept = new Set(items.map(keyOf));
    for (const key of [...this.#objects.keys()]) if (!kept.has(key)) this.#remove(key);
    for (const object of items) this.#put(object);
    this.#resourceVersion = version;
  }

  async #follow(onEvent: () => void): Promise<void> {
    const { client, signal, namespace, labelSelector, fieldSelector } = this.#options;
    const resourceVersion = this.#resourceVersion;
    for await (const { type, object } of client.watch<T>(this.ref, { namespace, labelSelector, fieldSelector, resourceVersion, allowWatchBookmarks: true, signal })) {
      onEvent();
      if (this.#isOld(object)) continue;
      if (type === 'DELETED') this.#remove(keyOf(object), object);
      else if (type !== 'BOOKMARK') this.#put(object);
      this.#resourceVersion = object.metadata.resourceVersion ?? this.#resourceVersion;
    }
  }

  /** Told again, or late: by it an object would become again what it is no more. Revisions of all objects are numbers of one row. */
  #isOld({ metadata: { resourceVersion } }: T): boolean {
    return resourceVersion !== undefined && Number(resourceVersion) <= Number(this.#resourceVersion);
  }

  #put(given: T): void {
    const object = deepFreeze(given);
    const key = keyOf(object);
    const old = this.#objects.get(key);
    if (old?.metadata.uid === object.metadata.uid && old?.metadata.resourceVersion === object.metadata.resourceVersion) return;
    // The one of that name was deleted and another made while nobody looked.
    if (old && old.metadata.uid !== object.metadata.uid) this.#remove(key);
    const before = this.#objects.get(key);
    this.#objects.set(key, object);
    for (const index of this.#indexes.keys()) this.#file(index, key, before, object);
    this.#tell(before ? { type: 'MODIFIED', object, old: before } : { type: 'ADDED', object });
  }

  #remove(key: string, last?: T): void {
    const old = this.#objects.get(key);
    if (!old) return;
    this.#objects.delete(key);
    for (const index of this.#indexes.keys()) this.#file(index, key, old, undefined);
    this.#tell({ type: 'DELETED', object: last === undefined ? old : deepFreeze(last) });
  }

  #file(index: string, key: string, old: T | undefined, object: T | undefined): void {
    const held = this.#indexes.get(index);
    if (!held) return;
    for (const value of old ? held.valuesOf(old) : []) {
      held.filed.get(value)?.delete(key);
      if (held.filed.get(value)?.size === 0) held.filed.delete(value);
    }
    for (const value of object ? held.valuesOf(object) : []) {
      const filed = held.filed.get(value) ?? new Map<string, T>();
      held.filed.set(value, filed.set(key, object as T));
    }
  }

  #tell(change: ObjectChange<T>): void {
    for (const handler of this.#handlers) this.#call(handler, change);
  }

  /** One handler's mistake must stop neither the others nor the watch. */
  #call(handler: (change: ObjectChange<T>) => void, change: ObjectChange<T>): void {
    try {
      handler(change);
    } catch (error) {
      this.#options.log.error('a handler failed on a change', { type: change.type, object: keyOf(change.object), error });
    }
  }
}
