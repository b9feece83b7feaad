import type { Clock, Timer } from '#lib/clock.ts';
import { sleepOn } from '#lib/clock.ts';

/** The clock of one simulated process. Once that is killed nothing that waits for it wakes again. */
export class ProcessClock implements Clock {
  readonly #world: Clock;
  #dead = false;

  constructor(world: Clock) {
    this.#world = world;
  }

  get dead(): boolean {
    return this.#dead;
  }

  kill(): void {
    this.#dead = true;
  }

  now(): number {
    return this.#world.now();
  }

  monotonic(): bigint {
    return this.#world.monotonic();
  }

  after(ms: number, fn: () => void): Timer {
    const inner = this.#world.after(ms, () => {
      if (!this.#dead) fn();
    });
    const timer: Timer = {
      cancel: () => inner.cancel(),
      unref: () => timer,
    };
    return timer;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }
}
