import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFault } from '#lib/errors.ts';
import { ObjectCache } from './cache.ts';
import { watchHistoryBytesEvents, watchHistoryEvents } from './history.ts';
import { CachedObject } from './object.ts';
import type { WatchItem } from './watcher.ts';

/** A cache of one object, of which so many states followed one another: revision 1, 2, … */
function changed(times: number): { cache: ObjectCache; states: CachedObject[] } {
  const cache = new ObjectCache({ prefix: '/p/', indexed: [], fieldsOf: () => ({}) });
  cache.load([], 0);
  const states = Array.from({ length: times }, (_, i) => new CachedObject('/p/a', i + 1, { apiVersion: 'v1', kind: 'X', metadata: { name: 'a' }, n: i + 1 }));
  for (const state of states) {
    state.frame('MODIFIED');
    cache.put(state);
  }
  return { cache, states };
}

async function revisionsAfter(cache: ObjectCache, revision: number): Promise<number[]> {
  const items: WatchItem[] = (await cache.watch(revision, () => true).take()) ?? [];
  return items.map((item) => (item.type === 'BOOKMARK' ? item.revision : item.object.revision));
}

void test('a watch begins at any revision that is remembered, and at none before', async () => {
  const { cache } = changed(3 * watchHistoryEvents);
  const newest = 3 * watchHistoryEvents;
  assert.deepEqual(await revisionsAfter(cache, newest - 2), [newest - 1, newest]);
  assert.equal((await revisionsAfter(cache, newest - watchHistoryEvents)).length, watchHistoryEvents);
  assert.throws(() => cache.watch(1, () => true), (error: unknown) => isFault(error, 'expired'));
});

void test('what a compaction forgets is no beginning of a watch; what did not change since is', async () => {
  const { cache } = changed(10);
  cache.forget(4);
  assert.throws(() => cache.watch(3, () => true), (error: unknown) => isFault(error, 'expired'));
  assert.deepEqual(await revisionsAfter(cache, 4), [5, 6, 7, 8, 9, 10]);
  cache.forget(99);
  assert.doesNotThrow(() => cache.watch(10, () => true));
});

void test('bytes of superseded states are let go of when they are old, and made anew for who asks', () => {
  const { states } = changed(2 * watchHistoryBytesEvents);
  const kept = states.map((state) => state.holdsBytes);
  assert.deepEqual([kept[0], kept[watchHistoryBytesEvents - 2], kept.at(-3), kept.at(-1)], [false, false, true, true]);
  assert.equal(states[0]?.frame('DELETED').toString(), '{"type":"DELETED","object":{"apiVersion":"v1","kind":"X","metadata":{"name":"a"},"n":1}}\n');
});

void test('a frame and the object in it are the same bytes', () => {
  const object = new CachedObject('/p/a', 1, { apiVersion: 'v1', kind: 'X', metadata: {} });
  const json = object.json().toString();
  const frame = object.frame('ADDED');
  assert.equal(object.json().toString(), json);
  assert.equal(object.json().buffer, frame.buffer);
  assert.equal(object.frame('DELETED').toString(), `{"type":"DELETED","object":${json}}\n`);
  assert.equal(object.json().toString(), json);
});
