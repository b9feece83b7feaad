import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFault } from '#lib/errors.ts';
import { createMemoryStore, MemoryDisk } from './memory/store.ts';
import { createRecords } from './records.ts';

interface Volume {
  id: string;
  labels: { [name: string]: string };
  uses: number;
}

test('records are frozen, kept apart by collection, and found again after reopening', async () => {
  const disk = new MemoryDisk();
  const first = createMemoryStore({ disk });
  const volumes = await createRecords(first)<Volume>('volumes');
  const given = { id: 'v1', labels: { a: '1' }, uses: 0 };
  const kept = await volumes.put(given);
  given.labels.a = 'changed by the caller';
  assert.throws(() => Object.assign(kept.labels, { a: '2' }), TypeError);
  assert.equal(volumes.get('v1')?.labels.a, '1');
  await (await createRecords(first)('volumes-of-another')).put({ id: 'v9' });
  await volumes.put({ id: 'v2', labels: {}, uses: 0 });
  assert.equal(await volumes.delete('v2'), true);
  assert.equal(await volumes.delete('v2'), false);
  await first.close();

  const again = await createRecords(createMemoryStore({ disk }))<Volume>('volumes');
  assert.deepEqual(again.list(), [{ id: 'v1', labels: { a: '1' }, uses: 0 }]);
});

test('updates of one record are serial and lose nothing', async () => {
  const volumes = await createRecords(createMemoryStore())<Volume>('volumes');
  await volumes.put({ id: 'v', labels: {}, uses: 0 });
  await Promise.all(Array.from({ length: 50 }, () => volumes.update('v', (v) => ({ ...v, uses: v.uses + 1 }))));
  assert.equal(volumes.get('v')?.uses, 50);
  await assert.rejects(volumes.update('none', (v) => v), (error) => isFault(error, 'not-found'));
  await assert.rejects(volumes.update('v', (v) => ({ ...v, id: 'w' })), (error) => isFault(error, 'invalid'));
});
