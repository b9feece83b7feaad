import type { Backend, Batch, StoredRecord } from '#core/store/mvcc/backend.ts';
import { MemoryDisk } from '#core/store/memory/store.ts';
import type { Chance } from './chance.ts';
import type { Faults } from './faults.ts';
import { slowest } from './faults.ts';
import type { ProcessClock } from './process-clock.ts';

/** What outlives the daemon: the store's records. Tells of each commit as it becomes durable. */
export class SimDisk {
  readonly #kept = new MemoryDisk();
  readonly #onCommit: (records: readonly StoredRecord[]) => boolean;

  /** @param onCommit says whether the world may go on; one that writes for ever in no time is stopped by its disk */
  constructor(onCommit: (records: readonly StoredRecord[]) => boolean) {
    this.#onCommit = onCommit;
  }

  /** The disk as one process has it: slow, full at times, and out of reach once the process is dead. */
  open(clock: ProcessClock, chance: Chance, faults: Faults): Backend {
    const pause = async (): Promise<void> => {
      if (clock.dead) await new Promise<never>(() => {});
      if (chance.happens(faults.store.slow)) await clock.sleep(chance.between(1, slowest.store));
    };
    const kept = this.#kept;
    return {
      load: () => kept.load(),
      value: (revision, sub) => kept.value(revision, sub),
      history: (from, to, wanted) => kept.history(from, to, wanted),
      commit: async (batch: Batch) => {
        await pause();
        if (chance.happens(faults.store.diskFull)) throw new Error('ENOSPC: no space left on device');
        await kept.commit(batch);
        if (!this.#onCommit(batch.records)) await new Promise<never>(() => {});
        await pause();
      },
      compact: async (revision, newest, dropped) => {
        await pause();
        if (chance.happens(faults.store.diskFull)) throw new Error('ENOSPC: no space left on device');
        await kept.compact(revision, newest, dropped);
      },
      close: () => kept.close(),
    };
  }
}
