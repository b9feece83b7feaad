import type { Clock } from '#lib/clock.ts';
import { systemClock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import { silentLogger } from '#lib/log.ts';
import type { Backend, Batch, Loaded, RecordId, StoredLease, StoredRecord } from '../mvcc/backend.ts';
import { MvccStore } from '../mvcc/store.ts';
import type { Store } from '../types.ts';

/** What a memory store holds; hand it to a second store after closing the first, and it is as if reopened. */
export class MemoryDisk implements Backend {
  #byRevision = new Map<number, StoredRecord[]>();
  #leases = new Map<number, StoredLease>();
  #lastLease = 0;
  #revision = 0;
  #compacted = 0;

  load(): Loaded {
    return {
      revision: this.#revision,
      compacted: this.#compacted,
      records: [...this.#byRevision.values()].flat().map(({ key, value: _value, ...record }) => ({ key, record })),
      leases: [...this.#leases.values()],
      lastLease: this.#lastLease,
    };
  }

  value(revision: number, sub: number): Uint8Array {
    const record = this.#byRevision.get(revision)?.find((r) => r.sub === sub);
    if (!record) throw new Error(`assertion failed: record ${revision}.${sub} is missing`);
    return record.value;
  }

  history(from: number, to: number, wanted: (key: string) => boolean): StoredRecord[] {
    const records: StoredRecord[] = [];
    for (let revision = from; revision < to; revision++) {
      records.push(...(this.#byRevision.get(revision) ?? []).filter((record) => wanted(record.key)));
    }
    return records;
  }

  async commit(batch: Batch): Promise<void> {
    for (const record of batch.records) {
      const same = this.#byRevision.get(record.revision);
      if (same) same.push(record);
      else this.#byRevision.set(record.revision, [record]);
      this.#revision = record.revision;
    }
    for (const lease of batch.leases) {
      if (lease.ttlSeconds === 0) this.#leases.delete(lease.id);
      else this.#leases.set(lease.id, lease);
      this.#lastLease = Math.max(this.#lastLease, lease.id);
    }
  }

  async compact(revision: number, _newest: number, dropped: readonly RecordId[]): Promise<void> {
    this.#compacted = revision;
    for (const { revision: at, sub } of dropped) {
      const left = (this.#byRevision.get(at) ?? []).filter((record) => record.sub !== sub);
      if (left.length > 0) this.#byRevision.set(at, left);
      else this.#byRevision.delete(at);
    }
  }

  async close(): Promise<void> {}
}

/** A store that lives as long as its `disk`: for tests and simulations. */
export function createMemoryStore(options: { clock?: Clock; log?: Logger; disk?: MemoryDisk } = {}): Store {
  return new MvccStore(options.disk ?? new MemoryDisk(), { clock: options.clock ?? systemClock, log: options.log ?? silentLogger });
}
