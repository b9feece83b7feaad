import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Database, RootDatabase } from 'lmdb';
import { open } from 'lmdb';
import { KeyedMutex } from '#lib/async.ts';
import type { Clock } from '#lib/clock.ts';
import { messageOf } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { Files } from '#sys/fs/types.ts';
import type { Backend, Batch, Loaded, RecordId, RecordMeta, StoredRecord } from '../mvcc/backend.ts';
import { MvccStore } from '../mvcc/store.ts';
import type { Store } from '../types.ts';
import { decodeKey, decodeMeta, decodeValue, encodeRecord, recordKey } from './codec.ts';
import { checkDatabaseFile } from './file.ts';
import { Room } from './room.ts';

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
  /** Sets aside what writes will need; absent: it is looked up before each. */
  files?: Pick<Files, 'reserve'>;
}

/** The store on LMDB, within this process. `conflict` where its file is damaged, as far as that is seen before it is mapped. */
export async function openEmbeddedStore(options: EmbeddedOptions): Promise<Store> {
  const directory = resolve(options.directory);
  const made = mkdirSync(directory, { recursive: true, mode: 0o700 });
  // An end amid the very first opening leaves an empty or torn file; a later one that is so has lost what it held.
  const mark = join(directory, 'opened');
  const isNew = !existsSync(mark);
  checkDatabaseFile(join(directory, 'data.mdb'), options.holds ?? 'what was stored', isNew);
  const env = openEnv(directory, options.durability);
  if (isNew) closeSync(openSync(mark, 'a', 0o600));
  const backend = new LmdbBackend(env, { ...options, directory });
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

interface Env {
  root: RootDatabase;
  records: Database<Buffer, Uint8Array>;
  leases: Database<number, number>;
  facts: Database<number, string>;
}

function openEnv(path: string, durability: Durability, readOnly = false): Env {
  // Without overlapping sync a commit is synced before its promise resolves, and not after it.
  // Its batching by event turn rejects, where a commit fails, a promise that nobody can handle; each write is a batch anyway.
  const root = open({ path, noSubdir: false, maxDbs: 4, overlappingSync: false, eventTurnBatching: false, noSync: durability === 'process', readOnly });
  return {
    root,
    records: root.openDB({ name: 'records', keyEncoding: 'binary', encoding: 'binary' }),
    leases: root.openDB({ name: 'leases', encoding: 'json' }),
    facts: root.openDB({ name: 'facts', encoding: 'json' }),
  };
}

/**
 * After a write that failed the environment is opened anew, at once: LMDB may refuse even reads then. What of that write is found
 * in the file although it was not acknowledged goes with the next one; until the disk takes that, there is only reading.
 */
class LmdbBackend implements Backend {
  readonly #options: Pick<EmbeddedOptions, 'directory' | 'durability'>;
  readonly #room: Room;
  readonly #serial = new KeyedMutex();
  #env: Env;
  /** Whether the file may hold more than was acknowledged; and whether it could only be opened for reading. */
  #doubtful = false;
  #readOnly = false;
  /** The newest revision that was acknowledged. */
  #newest = 0;

  constructor(env: Env, options: Pick<EmbeddedOptions, 'directory' | 'durability' | 'files'>) {
    this.#env = env;
    this.#options = options;
    this.#room = new Room(options.directory, options.files);
  }

  load(): Loaded {
    const { facts, leases } = this.#env;
    return {
      revision: (this.#newest = facts.get('revision') ?? 0),
      compacted: facts.get('compacted') ?? 0,
      records: this.#allRecords(),
      leases: [...leases.getRange()].map(({ key, value }) => ({ id: key, ttlSeconds: value })),
      lastLease: facts.get('lastLease') ?? 0,
    };
  }

  /** Without copying the values: what a view shows is overwritten by the next. */
  *#allRecords(): Generator<{ key: string; record: RecordMeta }> {
    const { records } = this.#env;
    for (const id of records.getKeys()) {
      const bytes = records.getBinaryFast(id);
      if (!bytes) continue;
      const record = decodeMeta(id, bytes);
      this.#newest = Math.max(this.#newest, record.revision);
      yield { key: decodeKey(bytes), record };
    }
  }

  value(revision: number, sub: number): Uint8Array {
    const bytes = this.#env.records.getBinary(recordKey(revision, sub));
    if (!bytes) throw new Error(`the database lost record ${revision}.${sub}`);
    return decodeValue(bytes);
  }

  history(from: number, to: number, wanted: (key: string) => boolean): StoredRecord[] {
    const records: StoredRecord[] = [];
    for (const { key: id, value: bytes } of this.#env.records.getRange({ start: recordKey(from, 0), end: recordKey(to, 0) })) {
      const key = decodeKey(bytes);
      if (wanted(key)) records.push({ key, value: decodeValue(bytes), ...decodeMeta(id, bytes) });
    }
    return records;
  }

  async commit(batch: Batch): Promise<void> {
    const added = batch.records.reduce((sum, record) => sum + record.value.byteLength, 0);
    const last = Math.max(...batch.leases.map((lease) => lease.id), 0);
    await this.#write(added, ({ records, leases, facts }) => [
      ...batch.records.map((record) => records.put(recordKey(record.revision, record.sub), encodeRecord(record))),
      ...batch.leases.map(({ id, ttlSeconds }) => (ttlSeconds === 0 ? leases.remove(id) : leases.put(id, ttlSeconds))),
      ...(last > (facts.get('lastLease') ?? 0) ? [facts.put('lastLease', last)] : []),
    ]);
    this.#newest = Math.max(this.#newest, ...batch.records.map(({ revision }) => revision));
  }

  async compact(revision: number, newest: number, dropped: readonly RecordId[]): Promise<void> {
    await this.#write(0, ({ facts }) => [facts.put('compacted', revision), facts.put('revision', newest)]);
    for (let i = 0; i < dropped.length; i += removalsPerWrite) {
      const some = dropped.slice(i, i + removalsPerWrite);
      await this.#write(0, ({ records }) => some.map((id) => records.remove(recordKey(id.revision, id.sub))));
    }
  }

  async close(): Promise<void> {
    await this.#serial.run('', () => this.#env.root.close());
    this.#room.close();
  }

  /** Puts the operations of `work`, which adds so many bytes, in one LMDB transaction. */
  #write(added: number, work: (env: Env) => Promise<boolean>[]): Promise<void> {
    return this.#serial.run('', async () => {
      this.#room.require(added);
      if (this.#readOnly) await this.#openAnew();
      const env = this.#env;
      const left = this.#doubtful ? this.#unacknowledged() : [];
      let operations: Promise<boolean>[] = [];
      const committed = env.root.batch(() => {
        operations = [...left.map((id) => env.records.remove(id)), ...work(env)];
      });
      try {
        await Promise.all([committed, ...operations]);
      } catch (error) {
        this.#doubtful = true;
        const reason = await reasonOf(error);
        // where even that fails, the next write tries it again
        await this.#openAnew().catch(() => {});
        throw reason;
      }
      this.#doubtful = false;
      env.root.resetReadTxn();
    });
  }

  #unacknowledged(): Buffer[] {
    return [...this.#env.records.getKeys({ start: recordKey(this.#newest + 1, 0) })].map((id) => Buffer.from(id));
  }

  async #openAnew(): Promise<void> {
    const { directory, durability } = this.#options;
    await this.#env.root.close();
    this.#readOnly = true;
    try {
      this.#env = openEnv(directory, durability);
      this.#readOnly = false;
    } catch {
      // a disk that takes no writes mostly still gives what it holds
      this.#env = openEnv(directory, durability, true);
    }
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
  const at = text.indexOf(pageDetail);
  return at < 0 ? reason : new Error(text.slice(0, at), { cause: reason });
}

/** Begins what LMDB tells of the page that it could not write. */
const pageDetail = ': Attempting to write page';
