import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WithStore } from './suite.ts';
import { bytes, failsWith, put, text } from './suite.ts';
import type { Change, Store } from './types.ts';
import { lastKey, storeLimits } from './types.ts';

/** Reads a watch until `count` changes have come. */
async function take(watch: AsyncIterable<Change[]>, count: number): Promise<Change[]> {
  const seen: Change[] = [];
  for await (const batch of watch) {
    seen.push(...batch);
    if (seen.length >= count) break;
  }
  return seen;
}

const from = (store: Store, revision: number | undefined, extra: { previous?: boolean } = {}): AsyncIterable<Change[]> =>
  store.watch('', lastKey, { revision, signal: AbortSignal.timeout(10_000), ...extra });

const brief = (changes: Change[]): unknown[] => changes.map((c) => [c.type, c.entry.key, c.entry.modRevision]);

/** The part of the store's suite about watches. */
export function watchSuite(withStore: WithStore): void {
  test('history, then live, with no gap and no double, while writes go on', () =>
    withStore(async (store) => {
      for (let i = 0; i < 600; i++) await store.put(`a${i % 7}`, bytes(String(i)));
      const writing = (async () => {
        for (let i = 600; i < 1200; i++) await store.put(`a${i % 7}`, bytes(String(i)));
      })();
      const seen = await take(from(store, 100), 1101);
      await writing;
      assert.deepEqual(seen.map((c) => c.entry.modRevision), Array.from({ length: 1101 }, (_, i) => i + 100));
      assert.equal(text(seen.at(-1)?.entry.value), '1199');
    }));

  test('without a revision it begins after the call, whenever it is first read', () =>
    withStore(async (store) => {
      await store.put('before', bytes(''));
      const watch = from(store, undefined);
      await store.put('after', bytes(''));
      assert.deepEqual(brief(await take(watch, 1)), [['put', 'after', 2]]);
    }));

  test('a transaction arrives whole, in its order, within the range', () =>
    withStore(async (store) => {
      await store.put('x3', bytes('old'));
      const watch = store.watch('x', 'y', { revision: 1, previous: true, signal: AbortSignal.timeout(10_000) })[Symbol.asyncIterator]();
      assert.deepEqual(brief((await watch.next()).value), [['put', 'x3', 1]]);
      const next = watch.next();
      await store.transact({ then: [put('x2'), put('w'), { op: 'delete', key: 'x3' }, put('x1')] });
      const batch: Change[] = (await next).value;
      assert.deepEqual(brief(batch), [['put', 'x2', 2], ['delete', 'x3', 2], ['put', 'x1', 2]]);
      assert.deepEqual(batch.map((c) => text(c.previous?.value)), [undefined, 'old', undefined]);
      assert.equal(batch[1]?.entry.value.length, 0);
      await watch.return?.();
    }));

  test('previous entries come with history, too', () =>
    withStore(async (store) => {
      for (const value of ['1', '2', '3']) await store.put('a', bytes(value));
      const seen = await take(from(store, 1, { previous: true }), 3);
      assert.deepEqual(seen.map((c) => text(c.previous?.value)), [undefined, '1', '2']);
    }));

  test('a revision still to come is waited for', () =>
    withStore(async (store) => {
      const seen = take(from(store, 3), 1);
      for (const key of ['a', 'b', 'c', 'd']) await store.put(key, bytes(''));
      assert.deepEqual(brief(await seen)[0], ['put', 'c', 3]);
    }));

  test('a compacted revision is refused, the next one is not', () =>
    withStore(async (store) => {
      for (const key of ['a', 'b', 'c']) await store.put(key, bytes(''));
      await store.compact(2);
      await failsWith(take(from(store, 2), 1), 'expired');
      assert.deepEqual(brief(await take(from(store, 3), 1)), [['put', 'c', 3]]);
    }));

  test('a watcher that falls behind is ended with expired', () =>
    withStore(async (store) => {
      const watch = from(store, undefined)[Symbol.asyncIterator]();
      const first = watch.next();
      await store.put('a', bytes(''));
      await first;
      const rounds = Math.ceil((storeLimits.watcherBacklogChanges + 1) / storeLimits.operationsPerTransaction);
      const then = Array.from({ length: storeLimits.operationsPerTransaction }, (_, i) => put(`k${i}`, ''));
      await Promise.all(Array.from({ length: rounds }, () => store.transact({ then })));
      await failsWith(watch.next(), 'expired');
    }));

  test('the signal ends it, waiting or not', () =>
    withStore(async (store) => {
      const stop = new AbortController();
      const waiting = take(store.watch('', lastKey, { signal: stop.signal }), 1);
      await store.range('', lastKey);
      stop.abort();
      assert.deepEqual(await waiting, []);
      assert.deepEqual(await take(store.watch('', lastKey, { signal: stop.signal }), 1), []);
    }));
}
