import type { Clock, Timer } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import type { StoredLease } from './backend.ts';

interface Held {
  ttlSeconds: number;
  keys: Set<string>;
  timer: Timer;
}

/** The leases in force: their keys and their timers. What ends one is told; deleting its keys is the store's work. */
export class LeaseTable {
  readonly #held = new Map<number, Held>();
  readonly #leaseOfKey = new Map<string, number>();
  readonly #clock: Clock;
  readonly #onExpired: (id: number) => void;
  #last = 0;

  constructor(clock: Clock, onExpired: (id: number) => void) {
    this.#clock = clock;
    this.#onExpired = onExpired;
  }

  load(leases: readonly StoredLease[], last: number): void {
    this.#last = last;
    for (const lease of leases) this.apply(lease);
  }

  nextId(): number {
    return ++this.#last;
  }

  has(id: number): boolean {
    return this.#held.has(id);
  }

  keys(id: number): string[] {
    return [...(this.#held.get(id)?.keys ?? [])];
  }

  /** Follows a committed grant or end. */
  apply({ id, ttlSeconds }: StoredLease): void {
    const held = this.#held.get(id);
    held?.timer.cancel();
    if (ttlSeconds === 0) this.#held.delete(id);
    else this.#held.set(id, { ttlSeconds, keys: held?.keys ?? new Set(), timer: this.#arm(id, ttlSeconds) });
  }

  /** Follows a write: `key` is now attached to `lease` (0: to none). */
  attach(key: string, lease: number): void {
    const before = this.#leaseOfKey.get(key);
    if (before !== undefined && before !== lease) this.#held.get(before)?.keys.delete(key);
    if (lease === 0) this.#leaseOfKey.delete(key);
    else {
      this.#leaseOfKey.set(key, lease);
      this.#held.get(lease)?.keys.add(key);
    }
  }

  keepAlive(id: number): { ttlSeconds: number } {
    const held = this.#held.get(id);
    if (!held) throw noLease(id);
    held.timer.cancel();
    held.timer = this.#arm(id, held.ttlSeconds);
    return { ttlSeconds: held.ttlSeconds };
  }

  stop(): void {
    for (const held of this.#held.values()) held.timer.cancel();
  }

  #arm(id: number, ttlSeconds: number): Timer {
    return this.#clock.after(ttlSeconds * 1000, () => this.#onExpired(id)).unref();
  }
}

export function noLease(id: number): Fault {
  return new Fault('not-found', `lease ${id} does not exist; it may have expired: grant a new one`);
}
