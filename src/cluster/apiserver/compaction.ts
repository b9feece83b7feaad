import type { Store } from '#core/store/types.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import { every } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import type { Caches } from './storage/caches.ts';

/** Between compactions, in milliseconds; what is older than one to two of these is forgotten. */
export const compactionMs = 5 * 60_000;

/** Has the store and the caches forget, each time, what was old already the time before. */
export function startCompaction({ store, caches, clock, log }: { store: Store; caches: Caches; clock: Clock; log: Logger }): Timer {
  let seen = store.revision();
  return every(clock, compactionMs, async () => {
    const revision = seen;
    seen = store.revision();
    caches.forget(revision);
    if (revision <= store.compactedRevision()) return;
    try {
      await store.compact(revision);
    } catch (error) {
      log.warn('the store could not be compacted; trying again later', { revision, error });
    }
  }).unref();
}
