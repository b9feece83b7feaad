/**
 * What a writer tells while it works, a JSON value a line. An *intent* is told before its operation starts, an *ack* after it
 * resolved, a *seen* for each batch of a watch of all keys. So, wherever the writer ends, an operation is acknowledged, or
 * intended and not acknowledged, or unknown; the first must be in the store, the second wholly or not at all.
 */
import type { Operation, Transaction } from '#core/store/types.ts';

/** `put` of a value is told as its head: `<intent>:<length>`. */
export type Step =
  | { op: 'put'; key: string; head: string; lease?: number }
  | { op: 'delete'; key: string }
  | { op: 'deleteRange'; start: string; end: string };

export type Deed =
  | { do: 'transact'; compare?: { key: string; modRevision: number }; then: Step[]; otherwise?: Step[] }
  | { do: 'grant' }
  | { do: 'revoke'; lease: number }
  | { do: 'compact'; revision: number };

export interface Ack {
  revision?: number;
  succeeded?: boolean;
  /** Whether the transaction changed something: one that did not has no revision of its own. */
  wrote?: boolean;
  lease?: number;
}

/** One change as a watch gives it: revision, key, head (`undefined` for a deletion), lease. */
export type Seen = readonly [revision: number, key: string, head: string | null, lease: number];

export type Line = { opened: number } | { intent: string; deed: Deed } | { ack: string; result: Ack } | { seen: Seen[] };

/** The value of a head: it repeats to its length, so that a torn one is told. */
export function valueOf(head: string): Buffer {
  return Buffer.alloc(Number(head.split(':')[1]), `${head};`);
}

export function headOf(value: Uint8Array): string {
  const text = Buffer.from(value).toString();
  const head = text.slice(0, text.indexOf(';'));
  return head.includes(':') && valueOf(head).equals(value) ? head : `torn value ${text.slice(0, 80)}`;
}

export function operationOf(step: Step): Operation {
  return step.op === 'put' ? { op: 'put', key: step.key, value: valueOf(step.head), lease: step.lease } : step;
}

export function transactionOf(deed: Deed & { do: 'transact' }): Transaction {
  return {
    compare: deed.compare && [{ key: deed.compare.key, target: 'modRevision', is: '=', value: deed.compare.modRevision }],
    then: deed.then.map(operationOf),
    otherwise: deed.otherwise?.map(operationOf),
  };
}
