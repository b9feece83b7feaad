/**
 * What a multi-version store keeps its records in. The index and all rules are in memory, in `MvccStore`;
 * a backend only keeps records by (revision, sub) and the leases, and makes a batch atomic and durable.
 */
export interface Backend {
  /** What it holds, in revision order; called once. */
  load(): Loaded;
  /** The value of a record that it holds. */
  value(revision: number, sub: number): Uint8Array;
  /** The records of revisions in [from, to), in order, whose key `wanted` accepts. */
  history(from: number, to: number, wanted: (key: string) => boolean): StoredRecord[];
  /** Adds a batch, atomically; resolves when it is durable and visible to `value` and `history`. */
  commit(batch: Batch): Promise<void>;
  /** Remembers the compaction, then drops the records. */
  compact(revision: number, newest: number, dropped: readonly RecordId[]): Promise<void>;
  close(): Promise<void>;
}

export interface RecordId {
  revision: number;
  /** The place within its transaction, from 0. */
  sub: number;
}

export interface RecordMeta extends RecordId {
  createRevision: number;
  version: number;
  /** 0: none. */
  lease: number;
  deleted: boolean;
}

export interface StoredRecord extends RecordMeta {
  key: string;
  value: Uint8Array;
}

export interface StoredLease {
  id: number;
  /** 0: it has ended. */
  ttlSeconds: number;
}

export interface Batch {
  records: StoredRecord[];
  leases: StoredLease[];
}

export interface Loaded {
  /** The newest revision that a compaction noted; records may go beyond. */
  revision: number;
  compacted: number;
  records: Iterable<{ key: string; record: RecordMeta }>;
  leases: StoredLease[];
  lastLease: number;
}
