import type { Clock } from '#lib/clock.ts';
import { monotonicMs } from '#lib/clock.ts';
import { isFault } from '#lib/errors.ts';

/** After this long, in milliseconds, what was expected is taken as missed, and the copy is believed. */
const patienceMs = 5 * 60_000;

/**
 * What a controller has created or deleted and its informer has not shown yet. While something is open for a
 * key, its copy is behind, and acting on it would create or delete twice.
 */
export class Expectations {
  readonly #clock: Clock;
  readonly #open = new Map<string, { creations: number; deletions: Set<string>; since: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Say so before creating, since the change may come before the answer. */
  expectCreations(key: string, count: number): void {
    this.#entry(key).creations += count;
  }

  expectDeletion(key: string, uid: string): void {
    this.#entry(key).deletions.add(uid);
  }

  /** A creation failed. It is open still where the error does not say that there will be none. */
  creationFailed(key: string, error: unknown): void {
    if (!isFault(error, 'timeout')) this.creationEnded(key);
  }

  deletionFailed(key: string, uid: string, error: unknown): void {
    if (!isFault(error, 'timeout')) this.deletionEnded(key, uid);
  }

  /** It was seen. */
  creationEnded(key: string): void {
    const entry = this.#open.get(key);
    if (entry && entry.creations > 0) entry.creations--;
    this.#drop(key);
  }

  deletionEnded(key: string, uid: string): void {
    this.#open.get(key)?.deletions.delete(uid);
    this.#drop(key);
  }

  forget(key: string): void {
    this.#open.delete(key);
  }

  met(key: string): boolean {
    const entry = this.#open.get(key);
    return entry === undefined || monotonicMs(this.#clock) - entry.since > patienceMs;
  }

  #entry(key: string): { creations: number; deletions: Set<string>; since: number } {
    const entry = (this.met(key) ? undefined : this.#open.get(key)) ?? { creations: 0, deletions: new Set<string>(), since: 0 };
    entry.since = monotonicMs(this.#clock);
    this.#open.set(key, entry);
    return entry;
  }

  #drop(key: string): void {
    const entry = this.#open.get(key);
    if (entry && entry.creations === 0 && entry.deletions.size === 0) this.#open.delete(key);
  }
}
