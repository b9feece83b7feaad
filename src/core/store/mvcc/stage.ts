import { Fault } from '#lib/errors.ts';
import type { Compare, Entry, Operation, Transaction } from '../types.ts';
import type { Backend, Batch, RecordMeta, StoredRecord } from './backend.ts';
import type { KeyIndex } from './index.ts';
import { noLease } from './leases.ts';

/**
 * Transactions being evaluated, one after another, before they are committed together. Each sees the ones
 * before it. The index holds their records at once, at revisions that no reader reads yet.
 */
export class Stage implements Batch {
  readonly records: StoredRecord[] = [];
  readonly leases: { id: number; ttlSeconds: number }[] = [];
  /** The newest revision, with what is staged. */
  revision: number;
  readonly #index: KeyIndex;
  readonly #backend: Backend;
  readonly #leaseExists: (id: number) => boolean;
  readonly #values = new Map<RecordMeta, Uint8Array>();
  /** Keys that the transaction under evaluation has written. */
  #written = new Set<string>();

  constructor(index: KeyIndex, backend: Backend, revision: number, leaseExists: (id: number) => boolean) {
    this.#index = index;
    this.#backend = backend;
    this.revision = revision;
    this.#leaseExists = leaseExists;
  }

  /** Runs one transaction; what fails leaves nothing behind. */
  run<T>(work: () => T): T {
    const before = { records: this.records.length, leases: this.leases.length };
    this.#written = new Set();
    try {
      const result = work();
      if (this.records.length > before.records) this.revision++;
      return result;
    } catch (error) {
      this.#index.rollback(this.#written, this.revision);
      this.records.length = before.records;
      this.leases.length = before.leases;
      throw error;
    }
  }

  transact(transaction: Transaction): { succeeded: boolean; entries: (Entry | undefined)[] } {
    const succeeded = (transaction.compare ?? []).every((compare) => this.#holds(compare));
    const operations = succeeded ? transaction.then : (transaction.otherwise ?? []);
    return { succeeded, entries: operations.map((operation) => this.#operate(operation)) };
  }

  get(key: string): Entry | undefined {
    const record = this.#index.at(key, this.revision + 1);
    return record && toEntry(key, record, this.#valueOf(record));
  }

  put(key: string, value: Uint8Array, lease = 0): void {
    if (lease !== 0 && !this.hasLease(lease)) throw noLease(lease);
    const before = this.#index.at(key, this.revision + 1);
    this.#write(key, value, { createRevision: before?.createRevision ?? this.revision + 1, version: (before?.version ?? 0) + 1, lease, deleted: false });
  }

  delete(key: string): Entry | undefined {
    const before = this.get(key);
    if (before) this.#write(key, new Uint8Array(0), { createRevision: 0, version: 0, lease: 0, deleted: true });
    return before;
  }

  hasLease(id: number): boolean {
    return this.#leaseExists(id) && !this.leases.some((lease) => lease.id === id && lease.ttlSeconds === 0);
  }

  #operate(operation: Operation): Entry | undefined {
    switch (operation.op) {
      case 'get':
        return this.get(operation.key);
      case 'put':
        this.put(operation.key, operation.value, operation.lease);
        return undefined;
      case 'delete':
        return this.delete(operation.key);
      case 'deleteRange': {
        const keys = [...this.#index.range(operation.start, operation.end, this.revision + 1)].map(({ key }) => key);
        for (const key of keys) this.delete(key);
        return undefined;
      }
    }
  }

  #write(key: string, value: Uint8Array, facts: Omit<RecordMeta, 'revision' | 'sub'>): void {
    if (this.#written.has(key)) throw new Fault('invalid', `a transaction writes the key ${key} twice; write each key once`);
    const record = { revision: this.revision + 1, sub: this.#written.size, ...facts };
    this.#written.add(key);
    this.#index.add(key, record);
    this.#values.set(record, value);
    this.records.push({ ...record, key, value });
  }

  #valueOf(record: RecordMeta): Uint8Array {
    return this.#values.get(record) ?? this.#backend.value(record.revision, record.sub);
  }

  #holds(compare: Compare): boolean {
    const record = this.#index.at(compare.key, this.revision + 1);
    if (compare.target === 'value') return record !== undefined && Buffer.compare(this.#valueOf(record), compare.value) === 0;
    const actual = { modRevision: record?.revision, createRevision: record?.createRevision, version: record?.version }[compare.target] ?? 0;
    switch (compare.is) {
      case '=':
        return actual === compare.value;
      case '!=':
        return actual !== compare.value;
      case '<':
        return actual < compare.value;
      case '>':
        return actual > compare.value;
    }
  }
}

export function toEntry(key: string, record: RecordMeta, value: Uint8Array): Entry {
  const entry: Entry = { key, value, createRevision: record.createRevision, modRevision: record.revision, version: record.version };
  if (record.lease !== 0) entry.lease = record.lease;
  return entry;
}
