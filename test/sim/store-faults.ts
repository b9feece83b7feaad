import { Fault } from '#lib/errors.ts';
import type { Change, Store, Transaction, TransactionResult, WatchOptions } from '#core/store/types.ts';
import type { Chance } from './chance.ts';
import type { Faults } from './faults.ts';

/** A store that fails as its contract allows. */
export function faultyStore(real: Store, chance: Chance, faults: Faults): Store {
  const mayRefuse = (what: string): void => {
    if (chance.happens(faults.store.refused)) throw new Fault('unavailable', `the store refused to ${what}; try again`);
  };
  const guarded = async <T>(what: string, run: () => Promise<T>): Promise<T> => {
    mayRefuse(what);
    return run();
  };
  const transact = async (transaction: Transaction): Promise<TransactionResult> => {
    mayRefuse('write');
    if (!chance.happens(faults.store.unanswered)) return real.transact(transaction);
    if (chance.happens(0.5)) await real.transact(transaction);
    throw new Fault('timeout', 'the store did not answer in time: the write may have happened or not');
  };
  return {
    revision: () => real.revision(),
    compactedRevision: () => real.compactedRevision(),
    get: (key, options) => guarded('read', () => real.get(key, options)),
    range: (start, end, options) => guarded('read', () => real.range(start, end, options)),
    transact,
    put: async (key, value, { lease } = {}) => (await transact({ then: [{ op: 'put', key, value, lease }] })).revision,
    delete: async (key) => (await transact({ then: [{ op: 'delete', key }] })).revision,
    watch: (start, end, options) => watch(real, { start, end, options }, chance, faults),
    compact: (revision) => guarded('compact', () => real.compact(revision)),
    leases: {
      grant: (seconds) => guarded('grant a lease', () => real.leases.grant(seconds)),
      keepAlive: (id) => guarded('keep a lease', () => real.leases.keepAlive(id)),
      revoke: (id) => guarded('end a lease', () => real.leases.revoke(id)),
    },
    close: () => real.close(),
  };
}

interface Watched {
  start: string;
  end: string;
  options: WatchOptions;
}

async function* watch(real: Store, { start, end, options }: Watched, chance: Chance, faults: Faults): AsyncGenerator<Change[]> {
  for await (const changes of real.watch(start, end, options)) {
    if (chance.happens(faults.store.watchBroken)) {
      throw chance.happens(0.5) ? new Fault('expired', 'the watcher fell behind; list again') : new Fault('unavailable', 'the watch of the store broke');
    }
    yield changes;
  }
}
