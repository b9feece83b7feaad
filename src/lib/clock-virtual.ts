import type { Clock, Timer } from './clock.ts';
import { sleepOn } from './clock.ts';

interface Pending {
  at: number;
  order: number;
  /** Undefined once it has run or was cancelled. */
  fn: (() => void) | undefined;
}

/** A clock that stands still until it is advanced: for tests and simulations. */
export class VirtualClock implements Clock {
  /** Of what passed and falls due; the time of day is this and the jumps. */
  #now: number;
  #jumped = 0;
  #order = 0;
  readonly #pending = new EarliestFirst();

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now + this.#jumped;
  }

  monotonic(): bigint {
    return BigInt(Math.round(this.#now * 1e6));
  }

  /** Sets the time of day, as an administrator does; nothing falls due by it. */
  jump(ms: number): void {
    this.#jumped += ms;
  }

  after(ms: number, fn: () => void): Timer {
    const entry: Pending = { at: this.#now + Math.max(0, ms), order: this.#order++, fn };
    this.#pending.add(entry);
    const timer: Timer = {
      cancel: () => {
        entry.fn = undefined;
      },
      unref: () => timer,
    };
    return timer;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  /** Moves the time on by `ms`, running what falls due in order, and lets promises settle between. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await settle();
      const next = this.#pending.takeUntil(end);
      if (!next?.fn) break;
      this.#now = Math.max(this.#now, next.at);
      const { fn } = next;
      next.fn = undefined;
      fn();
    }
    this.#now = end;
    await settle();
  }
}

/** A binary heap: of what waits, the earliest, and of those the first that was added. */
class EarliestFirst {
  readonly #heap: Pending[] = [];

  add(entry: Pending): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!isBefore(entry, heap[above] as Pending)) break;
      heap[at] = heap[above] as Pending;
      at = above;
    }
    heap[at] = entry;
  }

  /** Takes the first one that is not cancelled, if it is due by `end`. */
  takeUntil(end: number): Pending | undefined {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      if (first.fn !== undefined && first.at > end) return undefined;
      this.#removeFirst();
      if (first.fn !== undefined) return first;
    }
    return undefined;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop() as Pending;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1] as Pending, heap[below] as Pending)) below++;
      if (!isBefore(heap[below] as Pending, last)) break;
      heap[at] = heap[below] as Pending;
      at = below;
    }
    heap[at] = last;
  }
}

function isBefore(a: Pending, b: Pending): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
