import type { CacheEvent } from './watcher.ts';

/** Changes that a cache remembers, for watches that begin at a revision of the past. */
export const watchHistoryEvents = 4096;
/** So many more are let in before the oldest are dropped together. */
const slack = 1024;
/** Of the newest changes, those whose bytes are kept, for watchers that have yet to send them. Of what is older they are made anew. */
export const watchHistoryBytesEvents = 256;

/** The newest changes of one cache, in order. */
export class History {
  #events: CacheEvent[] = [];
  /** Changes above this revision are all here. */
  #since: number;

  constructor(since: number) {
    this.#since = since;
  }

  /** Watches can begin at this revision, or later. */
  get since(): number {
    return this.#since;
  }

  push(event: CacheEvent): void {
    this.#events.push(event);
    const older = this.#events.at(-1 - watchHistoryBytesEvents);
    older?.previous?.forgetBytes();
    if (older?.type === 'DELETED') older.object.forgetBytes();
    if (this.#events.length > watchHistoryEvents + slack) this.#drop(this.#events.length - watchHistoryEvents);
  }

  /** Those above `revision`. */
  after(revision: number): CacheEvent[] {
    return this.#events.slice(this.#firstAfter(revision));
  }

  /** Forgets those up to `revision`. */
  forget(revision: number): void {
    this.#drop(this.#firstAfter(revision));
  }

  #drop(count: number): void {
    this.#since = this.#events.splice(0, count).at(-1)?.revision ?? this.#since;
  }

  #firstAfter(revision: number): number {
    let i = this.#events.length;
    while (i > 0 && (this.#events[i - 1] as CacheEvent).revision > revision) i--;
    return i;
  }
}
