import type { Clock, Timer } from './clock.ts';
import { sleepOn } from './clock.ts';

interface Pending {
  at: number;
  order: number;
  fn: () => void;
}

/** A clock that stands still until it is advanced: for tests and simulations. */
export class VirtualClock implements Clock {
  #now: number;
  #order = 0;
  #pending: Pending[] = [];

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): bigint {
    return BigInt(Math.round(this.#now * 1e6));
  }

  after(ms: number, fn: () => void): Timer {
    const entry = { at: this.#now + Math.max(0, ms), order: this.#order++, fn };
    this.#pending.push(entry);
    const timer: Timer = {
      cancel: () => {
        this.#pending = this.#pending.filter((p) => p !== entry);
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
      const next = this.#pending
        .filter((p) => p.at <= end)
        .sort((a, b) => a.at - b.at || a.order - b.order)[0];
      if (!next) break;
      this.#pending = this.#pending.filter((p) => p !== next);
      this.#now = Math.max(this.#now, next.at);
      next.fn();
    }
    this.#now = end;
    await settle();
  }
}

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
