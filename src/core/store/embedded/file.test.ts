import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { VirtualClock } from '#lib/clock-virtual.ts';
import { isFault } from '#lib/errors.ts';
import { silentLogger } from '#lib/log.ts';
import type { Store } from '../types.ts';
import { openEmbeddedStore } from './store.ts';

const ways: readonly [what: string, damage: (bytes: Buffer) => Buffer, says: RegExp][] = [
  ['empty', () => Buffer.alloc(0), /\(it is empty\)/],
  ['cut after 100 bytes', (bytes) => bytes.subarray(0, 100), /it does not begin|second page/],
  ['cut after its first page', (bytes) => bytes.subarray(0, 4096), /second page/],
  ['without its second page', (bytes) => Buffer.concat([bytes.subarray(0, 4096), Buffer.alloc(4096), bytes.subarray(8192)]), /second page/],
  ['cut in half', (bytes) => bytes.subarray(0, bytes.length / 2), /page \d+ is beyond its end|bytes of at least/],
  ['zeros', (bytes) => Buffer.alloc(bytes.length), /it does not begin as a database/],
  ['another file', (bytes) => Buffer.alloc(bytes.length, 'another file'), /it does not begin as a database/],
  ['overwritten behind its head', (bytes) => Buffer.concat([bytes.subarray(0, 8192), Buffer.alloc(bytes.length - 8192, 'overwritten')]), /page \d+ was overwritten/],
];

test('a damaged database is told by its file, and stays as it is', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'damaged-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const open = (): Promise<Store> => openEmbeddedStore({ directory, durability: 'process', holds: 'the cats', clock: new VirtualClock(), log: silentLogger });
  const file = join(directory, 'data.mdb');
  const store = await open();
  await Promise.all(Array.from({ length: 1000 }, (_, i) => store.put(`/k${i}`, Buffer.alloc(1500, String(i)))));
  await store.close();
  const whole = readFileSync(file);
  for (const [what, damage, says] of ways) {
    await t.test(what, async () => {
      writeFileSync(file, damage(whole));
      const before = readFileSync(file);
      await assert.rejects(open(), (error) => {
        assert.ok(isFault(error, 'conflict'), String(error));
        assert.ok(error.message.startsWith(`the database ${file} is damaged (`), error.message);
        assert.match(error.message, says);
        assert.ok(error.message.endsWith('restore it from a copy, or move it away to begin without it; only it holds the cats'));
        return true;
      });
      assert.deepEqual(readFileSync(file), before);
    });
  }
  writeFileSync(file, whole);
  const again = await open();
  assert.equal((await again.get('/k7'))?.value.length, 1500);
  await again.close();
});

for (const [what, bytes] of [
  ['empty', Buffer.alloc(0)],
  ['torn', Buffer.concat([Buffer.alloc(12_288), Buffer.alloc(16_384, 'a page')])],
] as const) {
  test(`a file that an end amid the very first opening left ${what} is a new one`, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'new-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const open = (): Promise<Store> => openEmbeddedStore({ directory, durability: 'process', clock: new VirtualClock(), log: silentLogger });
    writeFileSync(join(directory, 'data.mdb'), bytes);
    const store = await open();
    await store.put('/k', Buffer.from('v'));
    await store.close();
    writeFileSync(join(directory, 'data.mdb'), bytes);
    await assert.rejects(open(), /is damaged/, 'once it was opened, it is no new one');
  });
}
