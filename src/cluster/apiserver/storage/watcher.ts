import type { Deferred } from '#lib/async.ts';
import { deferred } from '#lib/async.ts';
import { Fault } from '#lib/errors.ts';
import type { CachedObject, EventType } from './object.ts';

/** Changes that wait for one slow watcher, and bytes of their objects as stored; with more it is ended and must list again. */
export const watcherQueueEvents = 16_384;
export const watcherQueueBytes: number = 32 * 1024 * 1024;

/** Takes `object` where it is an object's state; a bookmark only tells the revision reached. */
export type WatchItem = { type: EventType; object: CachedObject } | { type: 'BOOKMARK'; revision: number; initialEventsEnd?: boolean };

/** What happened to one object in the cache. */
export interface CacheEvent {
  revision: number;
  type: EventType;
  /** The new state; of a deletion, the last one with the deletion's revision. */
  object: CachedObject;
  previous?: CachedObject;
}

/** One who watches: filters what the cache publishes into a bounded queue. */
export class Watcher {
  readonly #after: number;
  readonly #matches: (object: CachedObject) => boolean;
  #queue: WatchItem[] = [];
  #bytes = 0;
  #wake: Deferred<void> = deferred();
  #end: { fault?: Fault } | undefined;

  /** Sees changes with a revision above `after` to objects that match, or that did before. */
  constructor(after: number, matches: (object: CachedObject) => boolean) {
    this.#after = after;
    this.#matches = matches;
  }

  push(event: CacheEvent): void {
    if (event.revision <= this.#after) return;
    const item = this.#filter(event);
    if (item) this.put(item);
  }

  put(item: WatchItem): void {
    if (this.#end) return;
    this.#queue.push(item);
    if (item.type !== 'BOOKMARK') this.#bytes += item.object.size;
    if (this.#queue.length > watcherQueueEvents || this.#bytes > watcherQueueBytes) {
      this.#queue = [];
      this.end(new Fault('expired', `the watch fell more than ${watcherQueueEvents} changes or ${watcherQueueBytes} bytes behind; list again and watch from there`));
    } else this.#wake.resolve();
  }

  /** Ends the watch once what is queued has been taken. */
  end(fault?: Fault): void {
    this.#end ??= { fault };
    this.#wake.resolve();
  }

  /** Everything that waits, as soon as there is something; undefined at the end. Throws what the watch ended with. */
  async take(): Promise<WatchItem[] | undefined> {
    while (this.#queue.length === 0) {
      if (this.#end?.fault) throw this.#end.fault;
      if (this.#end) return undefined;
      await this.#wake.promise;
      this.#wake = deferred();
    }
    const items = this.#queue;
    this.#queue = [];
    this.#bytes = 0;
    return items;
  }

  #filter(event: CacheEvent): WatchItem | undefined {
    const now = event.type !== 'DELETED' && this.#matches(event.object);
    const before = event.previous !== undefined && this.#matches(event.previous);
    if (now) return { type: before ? 'MODIFIED' : 'ADDED', object: event.object };
    if (!before || !event.previous) return undefined;
    // What left the selection is shown in the last state that was in it.
    return { type: 'DELETED', object: event.type === 'DELETED' ? event.object : event.previous.at(event.revision) };
  }
}
