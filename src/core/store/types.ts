/**
 * The store: a multi-version key-value store in etcd's terms.
 *
 * Each committed transaction that writes gets the next *revision* (a whole number from 1, never going
 * back, also across restarts). A *key* is a string, ordered by its UTF-8 bytes; its *value* is bytes. A key
 * knows the revision that created it, the one that last changed it, and its version (1 at creation).
 * A read is at the newest revision or at an older one not yet *compacted* (`expired` otherwise). A *watch* from
 * revision R delivers every change with revision >= R in order, once. A *lease* is a time to live; keys
 * attached to it are deleted when it ends. A resolved write is on disk (with `durability: 'disk'`).
 *
 * A write that fails has not happened and will not, with one exception: after a `timeout` it may have, or may yet; a
 * watch tells. (The embedded and the memory store never answer so.)
 *
 * A value handed over or handed out is not changed afterwards by either side. Within one transaction a key
 * may be written once (`invalid`); its reads see its own earlier writes.
 *
 * Limits: `storeLimits` below. Over them: `too-large`; a watcher that falls behind is ended with `expired`
 * and re-lists; over the waiting transactions: `unavailable`.
 */
export interface Store {
  /** The newest revision; 0 for a store never written to. */
  revision(): number;
  /** The newest compacted revision; reads below it fail with `expired`. */
  compactedRevision(): number;
  get(key: string, options?: ReadOptions): Promise<Entry | undefined>;
  /** Keys in [start, end) in order. */
  range(start: string, end: string, options?: RangeOptions): Promise<RangeResult>;
  /** One atomic transaction: if all of `compare` hold, `then`, else `otherwise`. */
  transact(transaction: Transaction): Promise<TransactionResult>;
  /** Gives the revision of the write. */
  put(key: string, value: Uint8Array, options?: { lease?: number }): Promise<number>;
  /** Gives the revision of the deletion; the newest one where there was no such key. */
  delete(key: string): Promise<number>;
  /**
   * Changes to keys in [start, end) from `revision` on (default: after now). Batches keep a transaction whole.
   * Ends by the signal; throws `expired` if `revision` was compacted.
   */
  watch(start: string, end: string, options: WatchOptions): AsyncIterable<Change[]>;
  /**
   * Forgets what only revisions below `revision` need. `expired` if that was done before, `invalid` for a
   * revision still to come.
   */
  compact(revision: number): Promise<void>;
  leases: Leases;
  close(): Promise<void>;
}

export interface Entry {
  key: string;
  value: Uint8Array;
  createRevision: number;
  modRevision: number;
  version: number;
  lease?: number;
}

export interface ReadOptions {
  revision?: number;
}

export interface RangeOptions extends ReadOptions {
  limit?: number;
  keysOnly?: boolean;
  countOnly?: boolean;
}

export interface RangeResult {
  entries: Entry[];
  /** The revision that was read. */
  revision: number;
  /** How many keys the range holds, whatever the limit. */
  count: number;
  more: boolean;
}

export type Compare =
  | { key: string; target: 'modRevision' | 'createRevision' | 'version'; is: '=' | '!=' | '<' | '>'; value: number }
  | { key: string; target: 'value'; is: '='; value: Uint8Array };

export type Operation =
  | { op: 'put'; key: string; value: Uint8Array; lease?: number }
  | { op: 'delete'; key: string }
  | { op: 'deleteRange'; start: string; end: string }
  | { op: 'get'; key: string };

export interface Transaction {
  compare?: Compare[];
  then: Operation[];
  otherwise?: Operation[];
}

export interface TransactionResult {
  succeeded: boolean;
  revision: number;
  /** One for each operation of the branch taken: what `get` read, what `delete` removed, else undefined. */
  entries: (Entry | undefined)[];
}

export interface WatchOptions {
  revision?: number;
  /** Give each change the entry it replaced. */
  previous?: boolean;
  signal: AbortSignal;
}

export interface Change {
  type: 'put' | 'delete';
  /** For a delete: the key, the deleting revision as modRevision, an empty value. */
  entry: Entry;
  previous?: Entry;
}

/** Time to live of keys. A lease whose store was reopened starts its time anew. */
export interface Leases {
  /** `ttlSeconds` is a whole number from 1. */
  grant(ttlSeconds: number): Promise<{ id: number; ttlSeconds: number }>;
  /** Starts its time anew; `not-found` once it has ended. */
  keepAlive(id: number): Promise<{ ttlSeconds: number }>;
  /** Ends it now, deleting its keys in one transaction. */
  revoke(id: number): Promise<void>;
}

export const storeLimits = {
  keyBytes: 1024,
  valueBytes: 3 * 1024 * 1024,
  operationsPerTransaction: 128,
  waitingTransactions: 64 * 1024,
  watcherBacklogChanges: 64 * 1024,
} as const;

/** Above every key. */
export const lastKey = '\u{10ffff}';

/** The end of the range of all keys that begin with `prefix`, whose last character is below U+D7FF. */
export function prefixEnd(prefix: string): string {
  if (prefix === '') return lastKey;
  const last = prefix.charCodeAt(prefix.length - 1);
  return prefix.slice(0, -1) + String.fromCharCode(last + 1);
}
