import { Backoff } from '#lib/backoff.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import { monotonicMs } from '#lib/clock.ts';

export interface WorkQueueOptions {
  clock: Clock;
  /** Waits after the first failure of a key, and at most, in milliseconds. */
  firstRetryMs?: number;
  longestRetryMs?: number;
}

/**
 * Keys to work on. A key is in it once however often it is added; one that is being worked on and is added again
 * comes again when that work is done, so that no key is with two workers.
 */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #firstRetryMs: number;
  readonly #longestRetryMs: number;
  /** In the order they were added; includes those that wait for their work to be done. */
  readonly #waiting = new Set<string>();
  readonly #working = new Set<string>();
  readonly #later = new Map<string, { timer: Timer; at: number }>();
  readonly #failures = new Map<string, Backoff>();
  #takers: ((key: string | undefined) => void)[] = [];
  #closed = false;

  constructor({ clock, firstRetryMs = 10, longestRetryMs = 60_000 }: WorkQueueOptions) {
    this.#clock = clock;
    this.#firstRetryMs = firstRetryMs;
    this.#longestRetryMs = longestRetryMs;
  }

  /** Keys waiting, without those that come later. */
  get length(): number {
    return this.#waiting.size;
  }

  /** Adds it now; that it was to come later is settled by that. */
  add(key: string): void {
    if (this.#closed) return;
    this.#later.get(key)?.timer.cancel();
    this.#later.delete(key);
    this.#waiting.add(key);
    this.#hand();
  }

  /** Adds it after `ms`; of several such calls the soonest counts. */
  addAfter(key: string, ms: number): void {
    if (this.#closed) return;
    if (ms <= 0) return this.add(key);
    const at = monotonicMs(this.#clock) + ms;
    const before = this.#later.get(key);
    if (before && before.at <= at) return;
    before?.timer.cancel();
    const timer = this.#clock.after(ms, () => this.add(key));
    this.#later.set(key, { timer: timer.unref(), at });
  }

  /** Adds it after a wait that grows with each failure, until `forget`. */
  addFailed(key: string): void {
    const backoff = this.#failures.get(key) ?? new Backoff(this.#firstRetryMs, this.#longestRetryMs);
    this.#failures.set(key, backoff);
    this.addAfter(key, backoff.next());
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** The next key, which is the caller's until `done`; undefined once the queue is closed. */
  take(): Promise<string | undefined> {
    return new Promise((resolve) => {
      if (this.#closed) return resolve(undefined);
      this.#takers.push(resolve);
      this.#hand();
    });
  }

  done(key: string): void {
    this.#working.delete(key);
    this.#hand();
  }

  close(): void {
    this.#closed = true;
    this.#waiting.clear();
    for (const { timer } of this.#later.values()) timer.cancel();
    this.#later.clear();
    for (const take of this.#takers) take(undefined);
    this.#takers = [];
  }

  #hand(): void {
    if (this.#takers.length === 0) return;
    for (const key of this.#waiting) {
      if (this.#working.has(key)) continue;
      this.#waiting.delete(key);
      this.#working.add(key);
      this.#takers.shift()?.(key);
      if (this.#takers.length === 0) return;
    }
  }
}
