import type { RecordId, RecordMeta } from './backend.ts';
import { SortedByKey } from './sorted.ts';

/** The life of one key: its records in revision order, deletions among them. */
export interface KeyHistory {
  readonly key: string;
  readonly records: RecordMeta[];
}

/** Key -> its records. Holds revisions that are still being committed, too; readers name the revision that they read at. */
export class KeyIndex {
  #byKey = new Map<string, KeyHistory>();
  #sorted = new SortedByKey<KeyHistory>();
  /** Those that a compaction could shorten. */
  #long = new Set<KeyHistory>();

  add(key: string, record: RecordMeta): void {
    let history = this.#byKey.get(key);
    if (!history) {
      history = { key, records: [] };
      this.#byKey.set(key, history);
      this.#sorted.add(history);
    }
    history.records.push(record);
    if (record.deleted || history.records.length > 1) this.#long.add(history);
  }

  /** The record of `key` in force at `revision`, if it was not deleted then. */
  at(key: string, revision: number): RecordMeta | undefined {
    const history = this.#byKey.get(key);
    return history && liveAt(history, revision);
  }

  *range(start: string, end: string, revision: number): Generator<{ key: string; record: RecordMeta }> {
    for (const history of this.#sorted.range(start, end)) {
      const record = liveAt(history, revision);
      if (record) yield { key: history.key, record };
    }
  }

  /** Takes back the records of `keys` above `revision`. */
  rollback(keys: Iterable<string>, revision: number): void {
    for (const key of keys) {
      const history = this.#byKey.get(key);
      if (!history) continue;
      while ((history.records.at(-1)?.revision ?? 0) > revision) history.records.pop();
      if (history.records.length === 0) this.#forget(history);
    }
  }

  /** Drops what no read at `revision` or later needs, and tells what that was. */
  compact(revision: number): RecordId[] {
    const dropped: RecordId[] = [];
    for (const history of this.#long) {
      const { records } = history;
      let keep = lastAt(records, revision);
      if (keep >= 0 && records[keep]?.deleted) keep++;
      if (keep > 0) dropped.push(...records.splice(0, keep));
      if (records.length === 0) this.#forget(history);
      else if (records.length === 1 && !records[0]?.deleted) this.#long.delete(history);
    }
    return dropped;
  }

  #forget(history: KeyHistory): void {
    this.#byKey.delete(history.key);
    this.#sorted.remove(history.key);
    this.#long.delete(history);
  }
}

function liveAt(history: KeyHistory, revision: number): RecordMeta | undefined {
  const record = history.records[lastAt(history.records, revision)];
  return record?.deleted ? undefined : record;
}

/** The place of the last record not above `revision`; -1 if none. From the end: reads are mostly of the newest. */
function lastAt(records: readonly RecordMeta[], revision: number): number {
  let i = records.length - 1;
  while (i >= 0 && (records[i] as RecordMeta).revision > revision) i--;
  return i;
}
