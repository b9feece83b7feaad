import type { Clock } from '#lib/clock.ts';
import { Fault, isFault, messageOf } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { checkKey, checkValue } from '../keys.ts';
import type { Change, Entry, Leases, RangeOptions, RangeResult, ReadOptions, Store, Transaction, TransactionResult, WatchOptions } from '../types.ts';
import { storeLimits } from '../types.ts';
import type { Backend } from './backend.ts';
import { Committer } from './committer.ts';
import { KeyIndex } from './index.ts';
import { LeaseTable, noLease } from './leases.ts';
import { Stage, toEntry } from './stage.ts';
import { Watches } from './watch.ts';

/** Longest time to live of a lease, in seconds: what a timer can count (24 days). */
const maxTtlSeconds = 24 * 86_400;

export interface MvccOptions {
  clock: Clock;
  log: Logger;
}

/** The store's rules, over a backend that keeps records. */
export class MvccStore implements Store {
  readonly leases: Leases;
  readonly #backend: Backend;
  readonly #log: Logger;
  readonly #index = new KeyIndex();
  readonly #leases: LeaseTable;
  readonly #watches: Watches;
  readonly #committer: Committer;
  #revision = 0;
  #compacted = 0;
  /** Whether its last write failed. */
  #refuses = false;
  #closed: Fault | undefined;

  constructor(backend: Backend, options: MvccOptions) {
    this.#backend = backend;
    this.#log = options.log;
    this.#leases = new LeaseTable(options.clock, (id) => void this.#expire(id));
    this.#watches = new Watches({
      revision: () => this.#revision,
      compactedRevision: () => this.#compacted,
      history: (from, to, wanted) => backend.history(from, to, wanted),
      before: (key, revision) => this.#read(key, revision - 1),
    });
    this.#committer = new Committer({
      begin: () => new Stage(this.#index, backend, this.#revision, (id) => this.#leases.has(id)),
      commit: (stage) => this.#commit(stage),
    });
    this.leases = {
      grant: (ttlSeconds) => this.#grant(ttlSeconds),
      keepAlive: async (id) => this.#leases.keepAlive(id),
      revoke: (id) => this.#endLease(id),
    };
    this.#load();
  }

  revision(): number {
    return this.#revision;
  }

  compactedRevision(): number {
    return this.#compacted;
  }

  async get(key: string, options: ReadOptions = {}): Promise<Entry | undefined> {
    return this.#read(key, this.#readable(options.revision));
  }

  async range(start: string, end: string, options: RangeOptions = {}): Promise<RangeResult> {
    const revision = this.#readable(options.revision);
    const limit = options.limit === undefined || options.limit === 0 ? Infinity : options.limit;
    const entries: Entry[] = [];
    let count = 0;
    for (const { key, record } of this.#index.range(start, end, revision)) {
      count++;
      if (options.countOnly || entries.length >= limit) continue;
      entries.push(toEntry(key, record, options.keysOnly ? new Uint8Array(0) : this.#backend.value(record.revision, record.sub)));
    }
    return { entries, revision, count, more: !options.countOnly && count > entries.length };
  }

  async transact(transaction: Transaction): Promise<TransactionResult> {
    checkTransaction(transaction);
    const { value, revision } = await this.#committer.submit((stage) => stage.transact(transaction));
    return { ...value, revision };
  }

  async put(key: string, value: Uint8Array, options: { lease?: number } = {}): Promise<number> {
    return (await this.transact({ then: [{ op: 'put', key, value, lease: options.lease }] })).revision;
  }

  async delete(key: string): Promise<number> {
    return (await this.transact({ then: [{ op: 'delete', key }] })).revision;
  }

  watch(start: string, end: string, options: WatchOptions): AsyncIterable<Change[]> {
    return this.#watches.watch(start, end, options);
  }

  async compact(revision: number): Promise<void> {
    this.#refuseClosed();
    if (!Number.isSafeInteger(revision) || revision > this.#revision) {
      throw new Fault('invalid', `cannot compact up to revision ${revision}: the newest is ${this.#revision}`);
    }
    if (revision <= this.#compacted) throw new Fault('expired', `revision ${revision} has been compacted already (up to ${this.#compacted})`);
    this.#compacted = revision;
    try {
      await this.#backend.compact(revision, this.#revision, this.#index.compact(revision));
    } catch (error) {
      // Nothing of it is read any more; the next start drops it from the backend.
      throw new Fault('internal', `the store could not compact: ${messageOf(error)}; look for a full or failing disk`, { cause: error });
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = new Fault('unavailable', 'the store is closed');
    this.#leases.stop();
    await this.#committer.close(this.#closed);
    this.#watches.close(this.#closed);
    await this.#backend.close();
  }

  #load(): void {
    const { revision, compacted, records, leases, lastLease } = this.#backend.load();
    this.#leases.load(leases, lastLease);
    this.#revision = revision;
    this.#compacted = compacted;
    const attached = new Map<string, number>();
    for (const { key, record } of records) {
      this.#index.add(key, record);
      this.#revision = Math.max(this.#revision, record.revision);
      if (record.lease !== 0 || attached.has(key)) attached.set(key, record.lease);
    }
    for (const [key, lease] of attached) this.#leases.attach(key, lease);
    // A compaction that was cut short left records that nothing can read.
    const dropped = this.#index.compact(compacted);
    if (dropped.length > 0) {
      this.#backend
        .compact(compacted, this.#revision, dropped)
        .catch((error: unknown) => this.#log.warn('compaction could not be finished', { revision: compacted, error }));
    }
  }

  async #commit(stage: Stage): Promise<void> {
    if (stage.records.length === 0 && stage.leases.length === 0) return;
    try {
      await this.#backend.commit(stage);
    } catch (error) {
      this.#index.rollback(new Set(stage.records.map((record) => record.key)), this.#revision);
      // one line for a disk that refuses for hours; each who asks is told besides
      if (!this.#refuses) this.#log.error('the store could not write, and refuses until it can', { error });
      this.#refuses = true;
      throw error;
    }
    if (this.#refuses) this.#log.info('the store writes again');
    this.#refuses = false;
    this.#revision = stage.revision;
    for (const record of stage.records) this.#leases.attach(record.key, record.lease);
    for (const lease of stage.leases) this.#leases.apply(lease);
    this.#watches.publish(stage.records);
  }

  async #grant(ttlSeconds: number): Promise<{ id: number; ttlSeconds: number }> {
    if (!Number.isSafeInteger(ttlSeconds) || ttlSeconds < 1 || ttlSeconds > maxTtlSeconds) {
      throw new Fault('invalid', `a lease of ${ttlSeconds} seconds: the time must be a whole number from 1 to ${maxTtlSeconds}`);
    }
    const lease = { id: this.#leases.nextId(), ttlSeconds };
    await this.#committer.submit((stage) => stage.leases.push(lease));
    return lease;
  }

  async #endLease(id: number): Promise<void> {
    await this.#committer.submit((stage) => {
      if (!stage.hasLease(id)) throw noLease(id);
      const keys = new Set([...this.#leases.keys(id), ...stage.records.filter((r) => r.lease === id).map((r) => r.key)]);
      for (const key of keys) if (stage.get(key)?.lease === id) stage.delete(key);
      stage.leases.push({ id, ttlSeconds: 0 });
    });
  }

  async #expire(id: number): Promise<void> {
    try {
      await this.#endLease(id);
    } catch (error) {
      if (this.#closed || isFault(error, 'not-found')) return;
      this.#log.warn('a lease that ended could not be removed; trying again', { lease: id, error });
      if (this.#leases.has(id)) this.#leases.keepAlive(id);
    }
  }

  #read(key: string, revision: number): Entry | undefined {
    const record = this.#index.at(key, revision);
    return record && toEntry(key, record, this.#backend.value(record.revision, record.sub));
  }

  #readable(revision = this.#revision): number {
    this.#refuseClosed();
    if (revision < this.#compacted) throw new Fault('expired', `revision ${revision} has been compacted (up to ${this.#compacted}); read a newer one`);
    if (revision > this.#revision) throw new Fault('invalid', `revision ${revision} is still to come: the newest is ${this.#revision}`);
    return revision;
  }

  #refuseClosed(): void {
    if (this.#closed) throw this.#closed;
  }
}

function checkTransaction({ compare = [], then, otherwise = [] }: Transaction): void {
  const most = storeLimits.operationsPerTransaction;
  const count = Math.max(compare.length, then.length, otherwise.length);
  if (count > most) throw new Fault('too-large', `a transaction has ${count} operations, more than the limit of ${most}; split it`);
  for (const { key } of compare) checkKey(key);
  for (const operation of [...then, ...otherwise]) {
    if (operation.op === 'deleteRange') continue;
    checkKey(operation.key);
    if (operation.op === 'put') checkValue(operation.key, operation.value);
  }
}
