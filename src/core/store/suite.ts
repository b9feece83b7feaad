import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { VirtualClock } from '#lib/clock-virtual.ts';
import type { FaultKind } from '#lib/errors.ts';
import { isFault } from '#lib/errors.ts';
import { watchSuite } from './suite.watch.ts';
import type { Operation, Store } from './types.ts';
import { lastKey, prefixEnd, storeLimits } from './types.ts';

export interface StoreUnderTest {
  open(): Promise<Store>;
  clock: VirtualClock;
  /** Removes what it left behind. */
  cleanUp(): Promise<void>;
}

export const bytes = (text: string): Uint8Array => Buffer.from(text);
export const text = (value: Uint8Array | undefined): string | undefined => value && Buffer.from(value).toString();
export const put = (key: string, value = key): Operation => ({ op: 'put', key, value: bytes(value) });
export const failsWith = (promise: Promise<unknown>, kind: FaultKind): Promise<void> => assert.rejects(promise, (error) => isFault(error, kind));

/** Runs `body` with an open store, and cleans up. */
export type WithStore = (body: (store: Store, reopen: () => Promise<Store>, clock: VirtualClock) => Promise<void>) => Promise<void>;

/** What every store must do. */
export function storeSuite(name: string, make: () => Promise<StoreUnderTest>): void {
  const withStore: WithStore = async (body) => {
    const under = await make();
    let store = await under.open();
    try {
      const reopen = async (): Promise<Store> => {
        await store.close();
        return (store = await under.open());
      };
      await body(store, reopen, under.clock);
    } finally {
      await store.close();
      await under.cleanUp();
    }
  };
  describe(`${name}: reads and writes`, () => readWriteTests(withStore));
  describe(`${name}: transactions`, () => transactionTests(withStore));
  describe(`${name}: watches`, () => watchSuite(withStore));
  describe(`${name}: leases`, () => leaseTests(withStore));
  describe(`${name}: compaction and reopening`, () => lifeTests(withStore));
}

function readWriteTests(withStore: WithStore): void {
  test('an entry tells its revisions and version', () =>
    withStore(async (store) => {
      assert.equal(store.revision(), 0);
      assert.equal(await store.put('a', bytes('1')), 1);
      assert.equal(await store.put('b', bytes('x')), 2);
      assert.equal(await store.put('a', bytes('2')), 3);
      assert.deepEqual({ ...(await store.get('a')), value: text((await store.get('a'))?.value) }, { key: 'a', value: '2', createRevision: 1, modRevision: 3, version: 2 });
      assert.equal(text((await store.get('a', { revision: 2 }))?.value), '1');
      assert.equal(await store.delete('a'), 4);
      assert.equal(await store.get('a'), undefined);
      assert.equal(await store.delete('a'), 4);
      await store.put('a', bytes('3'));
      assert.deepEqual([(await store.get('a'))?.createRevision, (await store.get('a'))?.version], [5, 1]);
    }));

  test('a range is ordered by UTF-8 bytes, limited, and counted whole', () =>
    withStore(async (store) => {
      const keys = ['p/a', 'p/b', 'p/\u{1f600}', 'p/\uffff', 'p/é', 'q'];
      for (const key of keys) await store.put(key, bytes(key));
      const all = await store.range('p/', prefixEnd('p/'));
      assert.deepEqual(all.entries.map((e) => e.key), ['p/a', 'p/b', 'p/é', 'p/\uffff', 'p/\u{1f600}']);
      assert.deepEqual([all.count, all.more, all.revision], [5, false, 6]);
      const some = await store.range('p/', prefixEnd('p/'), { limit: 2 });
      assert.deepEqual([some.entries.map((e) => e.key), some.count, some.more], [['p/a', 'p/b'], 5, true]);
      assert.deepEqual((await store.range('', lastKey, { keysOnly: true })).entries.map((e) => e.value.length), [0, 0, 0, 0, 0, 0]);
      const counted = await store.range('', lastKey, { countOnly: true });
      assert.deepEqual([counted.entries, counted.count, counted.more], [[], 6, false]);
    }));

  test('a range at an older revision shows what was then', () =>
    withStore(async (store) => {
      await store.put('k1', bytes('old'));
      await store.put('k2', bytes('old'));
      await store.transact({ then: [put('k1', 'new'), { op: 'delete', key: 'k2' }, put('k3')] });
      const then = await store.range('k', 'l', { revision: 2 });
      assert.deepEqual(then.entries.map((e) => [e.key, text(e.value)]), [['k1', 'old'], ['k2', 'old']]);
      assert.deepEqual((await store.range('k', 'l')).entries.map((e) => e.key), ['k1', 'k3']);
      await failsWith(store.get('k1', { revision: 99 }), 'invalid');
    }));

  test('many keys stay in order through insertion and compaction', () =>
    withStore(async (store) => {
      const keys = Array.from({ length: 1500 }, (_, i) => `n/${String((i * 7919) % 1500).padStart(5, '0')}`);
      await Promise.all(keys.map((key) => store.put(key, bytes(key))));
      await Promise.all(keys.filter((_, i) => i % 3 === 0).map((key) => store.delete(key)));
      const left = keys.filter((_, i) => i % 3 !== 0).sort();
      await store.compact(store.revision());
      assert.deepEqual((await store.range('n/', 'n0')).entries.map((e) => text(e.value)), left);
    }));

  test('keys and values over their limits are refused', () =>
    withStore(async (store) => {
      await failsWith(store.put('', bytes('')), 'invalid');
      await failsWith(store.put('\ud800', bytes('')), 'invalid');
      await failsWith(store.put('k'.repeat(storeLimits.keyBytes + 1), bytes('')), 'too-large');
      await failsWith(store.put('k', new Uint8Array(storeLimits.valueBytes + 1)), 'too-large');
      await store.put('k'.repeat(storeLimits.keyBytes), new Uint8Array(storeLimits.valueBytes));
      assert.equal(store.revision(), 1);
    }));
}

function transactionTests(withStore: WithStore): void {
  test('compares decide the branch, and all writes share a revision', () =>
    withStore(async (store) => {
      const create = { compare: [{ key: 'a', target: 'version', is: '=', value: 0 }] as const, otherwise: [{ op: 'get', key: 'a' }] as const };
      const first = await store.transact({ compare: [...create.compare], then: [put('a', '1'), put('b', '1'), { op: 'get', key: 'b' }], otherwise: [...create.otherwise] });
      assert.deepEqual([first.succeeded, first.revision, text(first.entries[2]?.value)], [true, 1, '1']);
      const second = await store.transact({ compare: [...create.compare], then: [put('a', '2')], otherwise: [...create.otherwise] });
      assert.deepEqual([second.succeeded, second.revision, text(second.entries[0]?.value)], [false, 1, '1']);
      const third = await store.transact({
        compare: [
          { key: 'a', target: 'modRevision', is: '<', value: 2 },
          { key: 'a', target: 'createRevision', is: '>', value: 0 },
          { key: 'b', target: 'value', is: '=', value: bytes('1') },
          { key: 'none', target: 'version', is: '!=', value: 1 },
        ],
        then: [{ op: 'delete', key: 'a' }, { op: 'deleteRange', start: 'b', end: 'c' }],
      });
      assert.deepEqual([third.succeeded, third.revision, text(third.entries[0]?.value), third.entries[1]], [true, 2, '1', undefined]);
      assert.equal((await store.range('', lastKey)).count, 0);
    }));

  test('of concurrent updates on one revision exactly one wins', () =>
    withStore(async (store) => {
      const revision = await store.put('a', bytes('0'));
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, i) => store.transact({ compare: [{ key: 'a', target: 'modRevision', is: '=', value: revision }], then: [put('a', String(i))] })),
      );
      assert.equal(results.filter((r) => r.succeeded).length, 1);
      assert.equal((await store.get('a'))?.version, 2);
    }));

  test('a refused transaction changes nothing, also among others', () =>
    withStore(async (store) => {
      const twice = store.transact({ then: [put('a'), put('b'), put('a')] });
      const fine = store.put('c', bytes('c'));
      await failsWith(twice, 'invalid');
      assert.equal(await fine, 1);
      await failsWith(store.transact({ then: Array.from({ length: storeLimits.operationsPerTransaction + 1 }, (_, i) => put(`k${i}`)) }), 'too-large');
      assert.deepEqual((await store.range('', lastKey)).entries.map((e) => e.key), ['c']);
    }));
}

function leaseTests(withStore: WithStore): void {
  test('keys go with their lease, in one revision', () =>
    withStore(async (store, _reopen, clock) => {
      const { id } = await store.leases.grant(10);
      await store.put('a', bytes('1'), { lease: id });
      await store.put('b', bytes('1'), { lease: id });
      await store.put('kept', bytes('1'), { lease: id });
      await store.put('kept', bytes('2'));
      assert.equal((await store.get('a'))?.lease, id);
      await clock.advance(9_000);
      assert.deepEqual(await store.leases.keepAlive(id), { ttlSeconds: 10 });
      await clock.advance(9_000);
      assert.equal((await store.range('', lastKey)).count, 3);
      const seen = store.watch('', lastKey, { signal: AbortSignal.timeout(5_000) })[Symbol.asyncIterator]();
      await clock.advance(1_000);
      const batch = (await seen.next()).value;
      assert.deepEqual(batch.map((c: { type: string; entry: { key: string; modRevision: number } }) => [c.type, c.entry.key, c.entry.modRevision]), [['delete', 'a', 5], ['delete', 'b', 5]]);
      assert.deepEqual((await store.range('', lastKey)).entries.map((e) => e.key), ['kept']);
      await failsWith(store.leases.keepAlive(id), 'not-found');
      await failsWith(store.put('c', bytes(''), { lease: id }), 'not-found');
    }));

  test('revoking ends it at once, also against a write of the same moment', () =>
    withStore(async (store) => {
      const { id } = await store.leases.grant(10);
      const written = store.put('a', bytes('1'), { lease: id });
      const revoked = store.leases.revoke(id);
      const late = store.put('b', bytes('1'), { lease: id });
      await Promise.all([written, revoked, failsWith(late, 'not-found')]);
      assert.equal(await store.get('a'), undefined);
      await failsWith(store.leases.revoke(id), 'not-found');
      await failsWith(store.leases.grant(0), 'invalid');
    }));

  test('a lease outlives reopening, and its number is not used again', () =>
    withStore(async (store, reopen, clock) => {
      const gone = await store.leases.grant(5);
      const { id } = await store.leases.grant(10);
      await store.put('a', bytes('1'), { lease: id });
      await store.leases.revoke(gone.id);
      const again = await reopen();
      await clock.advance(9_000);
      assert.notEqual(await again.get('a'), undefined);
      assert.ok(![gone.id, id].includes((await again.leases.grant(60)).id));
      const seen = again.watch('', lastKey, { signal: AbortSignal.timeout(5_000) })[Symbol.asyncIterator]();
      await clock.advance(2_000);
      await seen.next();
      assert.equal(await again.get('a'), undefined);
    }));
}

function lifeTests(withStore: WithStore): void {
  test('compaction forgets the past and keeps the present', () =>
    withStore(async (store, reopen) => {
      await store.put('a', bytes('1'));
      await store.put('a', bytes('2'));
      await store.put('b', bytes('1'));
      await store.delete('b');
      await store.put('a', bytes('3'));
      await store.compact(4);
      const check = async (s: Store): Promise<void> => {
        assert.deepEqual([s.revision(), s.compactedRevision()], [5, 4]);
        await failsWith(s.get('a', { revision: 3 }), 'expired');
        assert.equal(text((await s.get('a', { revision: 4 }))?.value), '2');
        assert.equal(text((await s.get('a'))?.value), '3');
        await failsWith(s.compact(4), 'expired');
        await failsWith(s.compact(6), 'invalid');
      };
      await check(store);
      await check(await reopen());
    }));

  test('revisions go on after reopening, also when the newest was compacted away', () =>
    withStore(async (store, reopen) => {
      await store.put('a', bytes('1'));
      await store.delete('a');
      await store.compact(2);
      const again = await reopen();
      assert.equal(again.revision(), 2);
      assert.equal(await again.put('a', bytes('2')), 3);
      const third = await reopen();
      assert.deepEqual([third.revision(), text((await third.get('a'))?.value)], [3, '2']);
    }));

  test('a closed store refuses by name and ends its watchers', () =>
    withStore(async (store) => {
      const seen = store.watch('', lastKey, { signal: AbortSignal.timeout(5_000) })[Symbol.asyncIterator]();
      const first = seen.next();
      const accepted = store.put('a', bytes('1'));
      await store.close();
      assert.equal(await accepted, 1);
      assert.equal((await first).done, false);
      await failsWith(seen.next(), 'unavailable');
      await failsWith(store.put('a', bytes('2')), 'unavailable');
      await failsWith(store.get('a'), 'unavailable');
    }));
}
