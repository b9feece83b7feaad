import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, statfsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Database, RootDatabase } from 'lmdb';
import { open } from 'lmdb';
import type { Clock } from '#lib/clock.ts';
import { messageOf } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { Backend, Batch, Loaded, RecordId, RecordMeta, StoredRecord } from '../mvcc/backend.ts';
import { MvccStore } from '../mvcc/store.ts';
import type { Store } from '../types.ts';
import { checkDatabaseFile } from './file.ts';
import { decodeKey, decodeMeta, decodeValue, encodeRecord, recordKey } from './codec.ts';

/**
 * Bytes that must be free on the disk for a write that removes, and for one that adds: that much and four times what it adds,
 * for the pages that are written anew. LMDB is not let meet a full disk: its library may end the process after it.
 */
const freeToRemove = 256 * 1024;
const freeToAdd = 1024 * 1024;

/** Records that a compaction removes in one write. */
const removalsPerWrite = 4096;

/**
 * What a resolved write has survived. `disk`: it is synced; a loss of power loses nothing. `process`: it is with
 * the kernel; the daemon may be killed, the machine may not lose power.
 */
export type Durability = 'disk' | 'process';

export interface EmbeddedOptions {
  /** Holds the database; made if absent (mode 0700). One process at a time may have it open. */
  directory: string;
  durability: Durability;
  /** What only this store holds, for the words of a fault where its file is damaged. */
  holds?: string;
  clock: Clock;
  log: Logger;
}

/** The store on LMDB, within this process. `conflict` where its file is damaged, as far as that is seen before it is mapped. */
export async function openEmbeddedStore(options: EmbeddedOptions): Promise<Store> {
  const directory = resolve(options.directory);
  const made = mkdirSync(directory, { recursive: true, mode: 0o700 });
  // A kill amid the very first opening leaves an empty file; a later one that is empty has lost what it held.
  const mark = join(directory, 'opened');
  const isNew = !existsSync(mark);
  checkDatabaseFile(join(directory, 'data.mdb'), options.holds ?? 'what was stored', isNew);
  const backend = new LmdbBackend(options.directory, options.durability);
  if (isNew) closeSync(openSync(mark, 'a', 0o600));
  // LMDB syncs its file and not the file's name.
  if (options.durability === 'disk') syncNames(directory, made === undefined ? directory : dirname(made));
  return new MvccStore(backend, options);
}

/** Syncs the directories from `from` up to `upTo`. */
function syncNames(from: string, upTo: string): void {
  const directory = openSync(from, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
  if (from !== upTo && from !== dirname(from)) syncNames(dirname(from), upTo);
}

class LmdbBackend implements Backend {
  readonly #root: RootDatabase;
  readonly #records: Database<Buffer, Uint8Array>;
  readonly #leases: Database<number, number>;
  readonly #facts: Database<number, string>;
  readonly #directory: string;

  constructor(directory: string, durability: Durability) {
    this.#directory = directory;
    // Without overlapping sync a commit is synced before its promise resolves, and not after it.
    // Its batching by event turn rejects, where a commit fails, a promise that nobody can handle; each write is a batch anyway.
    this.#root = open({ path: directory, noSubdir: false, maxDbs: 4, overlappingSync: false, eventTurnBatching: false, noSync: durability === 'process' });
    this.#records = this.#root.openDB({ name: 'records', keyEncoding: 'binary', encoding: 'binary' });
    this.#leases = this.#root.openDB({ name: 'leases', encoding: 'json' });
    this.#facts = this.#root.openDB({ name: 'facts', encoding: 'json' });
  }

  load(): Loaded {
    return {
      revision: this.#facts.get('revision') ?? 0,
      compacted: this.#facts.get('compacted') ?? 0,
      records: this.#allRecords(),
      leases: [...this.#leases.getRange()].map(({ key, value }) => ({ id: key, ttlSeconds: value })),
      lastLease: this.#facts.get('lastLease') ?? 0,
    };
  }

  /** Without copying the values: what a view shows is overwritten by the next. */
  *#allRecords(): Generator<{ key: string; record: RecordMeta }> {
    for (const id of this.#records.getKeys()) {
      const bytes = this.#records.getBinaryFast(id);
      if (bytes) yield { key: decodeKey(bytes), record: decodeMeta(id, bytes) };
    }
  }

  value(revision: number, sub: number): Uint8Array {
    const bytes = this.#records.getBinary(recordKey(revision, sub));
    if (!bytes) throw new Error(`the database lost record ${revision}.${sub}`);
    return decodeValue(bytes);
  }

  history(from: number, to: number, wanted: (key: string) => boolean): StoredRecord[] {
    const records: StoredRecord[] = [];
    for (const { key: id, value: bytes } of this.#records.getRange({ start: recordKey(from, 0), end: recordKey(to, 0) })) {
      const key = decodeKey(bytes);
      if (wanted(key)) records.push({ key, value: decodeValue(bytes), ...decodeMeta(id, bytes) });
    }
    return records;
  }

  async commit(batch: Batch): Promise<void> {
    const added = batch.records.reduce((sum, record) => sum + record.value.byteLength, 0);
    this.#requireSpace(added === 0 ? freeToRemove : freeToAdd + 4 * added);
    const last = Math.max(...batch.leases.map((lease) => lease.id), 0);
    await this.#write(() => [
      ...batch.records.map((record) => this.#records.put(recordKey(record.revision, record.sub), encodeRecord(record))),
      ...batch.leases.map(({ id, ttlSeconds }) => (ttlSeconds === 0 ? this.#leases.remove(id) : this.#leases.put(id, ttlSeconds))),
      ...(last > (this.#facts.get('lastLease') ?? 0) ? [this.#facts.put('lastLease', last)] : []),
    ]);
  }

  #requireSpace(bytes: number): void {
    const { bfree, bsize } = statfsSync(this.#directory);
    if (bfree * bsize < bytes) throw new Error(`no space left on device: the disk of ${this.#directory} has ${bfree * bsize} bytes free, and the write takes ${bytes}`);
  }

  async compact(revision: number, newest: number, dropped: readonly RecordId[]): Promise<void> {
    this.#requireSpace(freeToRemove);
    await this.#write(() => [this.#facts.put('compacted', revision), this.#facts.put('revision', newest)]);
    for (let i = 0; i < dropped.length; i += removalsPerWrite) {
      const some = dropped.slice(i, i + removalsPerWrite);
      await this.#write(() => some.map((id) => this.#records.remove(recordKey(id.revision, id.sub))));
    }
  }

  async close(): Promise<void> {
    await this.#root.close();
  }

  /** Puts the operations of `work` in one LMDB transaction. */
  async #write(work: () => Promise<boolean>[]): Promise<void> {
    let operations: Promise<boolean>[] = [];
    const committed = this.#root.batch(() => {
      operations = work();
    });
    try {
      await Promise.all([committed, ...operations]);
    } catch (error) {
      throw await reasonOf(error);
    }
    this.#root.resetReadTxn();
  }
}

/** What LMDB met, which the library's own error only leads to, in words for people. */
async function reasonOf(error: unknown): Promise<unknown> {
  if (typeof error !== 'object' || error === null || !('commitError' in error)) return error;
  const reason: unknown = await Promise.resolve(error.commitError).then(
    () => error,
    (met: unknown) => met,
  );
  const text = messageOf(reason);
  if (text.includes('MDB_PANIC')) return new Error(gaveUp, { cause: reason });
  const at = text.indexOf(pageDetail);
  return at < 0 ? reason : new Error(text.slice(0, at), { cause: reason });
}

/** Begins what LMDB tells of the page that it could not write. */
const pageDetail = ': Attempting to write page';
/** LMDB writes no more once it could not write where its newest state is, even if the disk is well again. */
const gaveUp = 'the disk failed at a moment after which nothing more is written until the daemon is started anew: when the disk is well, end the daemon (its pid is in ./gantry status) and call ./gantry up; containers run on';
