import type { Store } from '#core/store/types.ts';
import type { Clock } from '#lib/clock.ts';
import { monotonicMs } from '#lib/clock.ts';

/** How long objects of a storage folder are kept after their last change, in seconds. All others stay. */
const keptSeconds: Record<string, number> = { events: 3600 };
/** Objects written within this time share a lease, in milliseconds. */
const sharedMs = 60_000;

/** Leases for objects that go by themselves (events). */
export class Expiry {
  readonly #store: Store;
  readonly #clock: Clock;
  #leases = new Map<string, { until: number; id: Promise<number> }>();

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** The lease to write with, or undefined where objects of the folder stay. */
  async leaseFor(folder: string): Promise<number | undefined> {
    const seconds = keptSeconds[folder];
    if (seconds === undefined) return undefined;
    const now = monotonicMs(this.#clock);
    const known = this.#leases.get(folder);
    if (known && known.until > now) return known.id;
    const id = this.#store.leases.grant(seconds + sharedMs / 1000).then((lease) => lease.id);
    this.#leases.set(folder, { until: now + sharedMs, id });
    id.catch(() => this.#leases.delete(folder));
    return id;
  }
}
