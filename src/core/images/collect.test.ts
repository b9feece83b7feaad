import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '#core/content/types.ts';
import { createMemoryStore } from '#core/store/memory/store.ts';
import { createRecords } from '#core/store/records.ts';
import { isFault, Fault } from '#lib/errors.ts';
import { Collector, type CollectorParts, type OrphanRecord } from './collect.ts';

const digest = (letter: string): Digest => `sha256:${letter.repeat(64)}`;
const [needed, unneeded, layer] = [digest('a'), digest('b'), digest('c')];

test('what work in progress has pinned is not removed, as long as any of it has', async () => {
  const removed: string[] = [];
  const collector = new Collector({
    content: { delete: async (blob: Digest) => Promise.resolve(removed.push(blob) > 0) },
    snapshots: { layers: () => [], removeLayer: async (chain: Digest) => Promise.resolve(void removed.push(chain)) },
    catalog: { list: () => [] },
    orphans: await createRecords(createMemoryStore())<OrphanRecord>('orphans'),
    alsoNeeded: () => [],
  } as unknown as CollectorParts);
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const one = collector.pinned([needed], async (pin) => {
    await pin([layer]);
    await first.promise;
  });
  const two = collector.pinned([needed], () => second.promise);
  const tryAll = async (): Promise<string[]> => {
    removed.length = 0;
    await collector.releaseLayers([layer]);
    await collector.releaseBlobs([needed, unneeded]);
    return [...removed];
  };
  // both pins wait for their turn
  await collector.pin([]);
  assert.deepEqual(await tryAll(), [unneeded]);
  first.reject(new Fault('canceled', 'the client went away'));
  await assert.rejects(one, (error) => isFault(error, 'canceled'));
  assert.deepEqual(await tryAll(), [layer, unneeded]);
  second.resolve();
  await two;
  assert.deepEqual(await tryAll(), [layer, needed, unneeded]);
});
