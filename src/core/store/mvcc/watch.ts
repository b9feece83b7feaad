import type { Deferred } from '#lib/async.ts';
import { deferred } from '#lib/async.ts';
import { Fault } from '#lib/errors.ts';
import { compareKeys } from '../keys.ts';
import type { Change, Entry, WatchOptions } from '../types.ts';
import { storeLimits } from '../types.ts';
import type { StoredRecord } from './backend.ts';
import { toEntry } from './stage.ts';

/** Revisions that a watcher which is catching up reads in one go. */
const historyWindow = 256;

/** What watchers need of their store. */
export interface WatchSource {
  revision(): number;
  compactedRevision(): number;
  history(from: number, to: number, wanted: (key: string) => boolean): StoredRecord[];
  /** The entry of `key` before `revision`. */
  before(key: string, revision: number): Entry | undefined;
}

interface Live {
  wants: (key: string) => boolean;
  previous: boolean;
  queue: Change[];
  wake: Deferred<void>;
  failure?: Fault;
}

/** Feeds watchers: first from history, then live. The switch happens within one turn, so nothing is lost or doubled. */
export class Watches {
  readonly #source: WatchSource;
  readonly #live = new Set<Live>();
  #closed: Fault | undefined;

  constructor(source: WatchSource) {
    this.#source = source;
  }

  /** Hands committed records to those who wait for them. */
  publish(records: readonly StoredRecord[]): void {
    for (const live of this.#live) {
      const before = live.queue.length;
      for (const record of records) if (live.wants(record.key)) live.queue.push(this.#change(record, live.previous));
      if (live.queue.length > storeLimits.watcherBacklogChanges) {
        live.queue = [];
        live.failure = new Fault('expired', `the watcher fell more than ${storeLimits.watcherBacklogChanges} changes behind; list again and watch from there`);
        this.#live.delete(live);
        live.wake.resolve();
      } else if (live.queue.length > before) live.wake.resolve();
    }
  }

  close(reason: Fault): void {
    this.#closed = reason;
    for (const live of this.#live) {
      live.failure = reason;
      live.wake.resolve();
    }
  }

  watch(start: string, end: string, options: WatchOptions): AsyncIterable<Change[]> {
    const from = options.revision ?? this.#source.revision() + 1;
    const wants = (key: string): boolean => compareKeys(key, start) >= 0 && compareKeys(key, end) < 0;
    return this.#follow(from, wants, options);
  }

  async *#follow(from: number, wants: (key: string) => boolean, options: WatchOptions): AsyncGenerator<Change[]> {
    const { signal, previous = false } = options;
    let next = from;
    while (next <= this.#source.revision() && !signal.aborted) {
      if (this.#closed) throw this.#closed;
      this.#refuseCompacted(next);
      const to = Math.min(next + historyWindow, this.#source.revision() + 1);
      const changes = this.#source.history(next, to, wants).map((record) => this.#change(record, previous));
      next = to;
      if (changes.length > 0) yield changes;
    }
    if (signal.aborted) return;
    if (this.#closed) throw this.#closed;
    this.#refuseCompacted(next);
    yield* this.#tail(next, wants, previous, signal);
  }

  async *#tail(from: number, wants: (key: string) => boolean, previous: boolean, signal: AbortSignal): AsyncGenerator<Change[]> {
    const live: Live = { wants, previous, queue: [], wake: deferred() };
    this.#live.add(live);
    const onAbort = (): void => live.wake.resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      for (;;) {
        if (signal.aborted) return;
        if (live.failure) throw live.failure;
        // A watch may begin at a revision still to come.
        const changes = live.queue.filter((change) => change.entry.modRevision >= from);
        live.queue = [];
        if (changes.length > 0) yield changes;
        else {
          await live.wake.promise;
          live.wake = deferred();
        }
      }
    } finally {
      this.#live.delete(live);
      signal.removeEventListener('abort', onAbort);
    }
  }

  #refuseCompacted(revision: number): void {
    const compacted = this.#source.compactedRevision();
    if (revision > compacted) return;
    throw new Fault('expired', `revision ${revision} has been compacted (up to ${compacted}); list again and watch from there`);
  }

  #change(record: StoredRecord, previous: boolean): Change {
    const change: Change = { type: record.deleted ? 'delete' : 'put', entry: toEntry(record.key, record, record.value) };
    const before = previous ? this.#source.before(record.key, record.revision) : undefined;
    if (before) change.previous = before;
    return change;
  }
}
