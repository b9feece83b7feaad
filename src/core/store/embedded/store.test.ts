import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { VirtualClock } from '#lib/clock-virtual.ts';
import { isFault } from '#lib/errors.ts';
import { silentLogger } from '#lib/log.ts';
import { linuxFiles } from '#sys/fs/linux.ts';
import { storeSuite } from '../suite.ts';
import type { Durability } from './store.ts';
import { openEmbeddedStore } from './store.ts';

for (const durability of ['disk', 'process'] as const) {
  storeSuite(`embedded store (${durability})`, async () => {
    const clock = new VirtualClock();
    const directory = await mkdtemp(join(tmpdir(), 'gantry-store-'));
    return {
      clock,
      open: () => openEmbeddedStore({ directory, durability, clock, log: silentLogger }),
      cleanUp: () => rm(directory, { recursive: true, force: true }),
    };
  });

  test(`embedded store (${durability}): what was acknowledged survives kill -9 of its process`, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'gantry-store-'));
    try {
      const acknowledged = await writeUntilKilled(directory, durability);
      const store = await openEmbeddedStore({ directory, durability, clock: new VirtualClock(), log: silentLogger });
      const { entries } = await store.range('k', 'l');
      await store.close();
      assert.ok(acknowledged > 20);
      const numbers = entries.map((entry) => Number(entry.key.slice(1, 10)));
      // Each transaction wrote two keys: both are there, and none is missing before the last.
      assert.deepEqual(numbers, numbers.map((_, i) => Math.floor(i / 2)));
      assert.equal(numbers.length % 2, 0);
      assert.ok(numbers.length >= 2 * acknowledged);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
}

const mayMount = process.getuid?.() === 0;

test('embedded store: a full disk refuses what does not fit, and loses nothing', { skip: mayMount ? false : 'mounting a small disk needs root' }, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-store-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', directory]);
  const open = () => openEmbeddedStore({ directory: join(directory, 'store'), durability: 'disk', clock: new VirtualClock(), log: silentLogger });
  try {
    let store = await open();
    const lease = await store.leases.grant(60);
    let written = 0;
    const fill = async (): Promise<never> => {
      for (;; written++) await store.put(`k${written}`, new Uint8Array(200_000), { lease: lease.id });
    };
    await assert.rejects(fill(), (error) => isFault(error, 'internal') && error.message.includes('look for a full or failing disk'));
    assert.deepEqual([store.revision(), await store.get(`k${written}`)], [written, undefined]);
    assert.equal(await store.put('small', new Uint8Array(1)), written + 1);
    await store.close();
    store = await open();
    assert.deepEqual([store.revision(), (await store.range('k', 'l')).count], [written + 1, written]);
    await store.close();
  } finally {
    execFileSync('umount', ['-l', directory]);
    await rm(directory, { recursive: true, force: true });
  }
});

test('embedded store: a disk that others fill to the last byte, and clear, while it is written to: what does not fit is refused, and nothing else', { skip: mayMount ? false : 'mounting a small disk needs root' }, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-store-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', directory]);
  const open = () => openEmbeddedStore({ directory: join(directory, 'store'), durability: 'disk', clock: new VirtualClock(), log: silentLogger, files: linuxFiles() });
  const filler = spawn('sh', ['-c', `cd ${directory}; while :; do cat /dev/zero > fill 2>/dev/null; cat /dev/zero > more 2>/dev/null; truncate -s 4M fill; sleep 0.0$((RANDOM%5)); rm -f more; done`]);
  try {
    let store = await open();
    const kept = new Map<string, number>();
    let refused = 0;
    let removed = 0;
    for (let i = 0; (refused < 150 || removed < 150) && i < 20_000; i++) {
      const size = 100 + ((i * 7919) % 30_000);
      try {
        await store.put(`k${i}`, Buffer.alloc(size, i));
        kept.set(`k${i}`, size);
      } catch (error) {
        assert.match(String(error), /no space left on device.*look for a full or failing disk/);
        refused++;
        // what is full can be emptied
        const [key] = kept.keys();
        if (key === undefined) continue;
        await store.delete(key);
        kept.delete(key);
        removed++;
        if (removed % 20 === 0) await store.compact(store.revision());
      }
    }
    assert.ok(refused >= 150 && removed >= 150, `${refused} refused, ${removed} removed`);
    await store.close();
    filler.kill();
    store = await open();
    assert.deepEqual(new Map((await store.range('k', 'l')).entries.map(({ key, value }) => [key, value.length])), kept);
    await store.close();
  } finally {
    filler.kill();
    execFileSync('umount', ['-l', directory]);
    await rm(directory, { recursive: true, force: true });
  }
});

/** Runs a writer in its own process, kills it in full flight, and gives how many writes it was told of. */
async function writeUntilKilled(directory: string, durability: Durability): Promise<number> {
  const script = `
    import { openEmbeddedStore } from '${new URL('./store.ts', import.meta.url).href}';
    import { systemClock } from '${import.meta.resolve('#lib/clock.ts')}';
    import { isFault } from '#lib/errors.ts';
import { silentLogger } from '${import.meta.resolve('#lib/log.ts')}';
    import { writeSync } from 'node:fs';
    const store = await openEmbeddedStore({ directory: ${JSON.stringify(directory)}, durability: '${durability}', clock: systemClock, log: silentLogger });
    for (let i = 0; ; i += 10) {
      const value = new Uint8Array(100);
      const keys = Array.from({ length: 10 }, (_, j) => 'k' + String(i + j).padStart(9, '0'));
      await Promise.all(keys.map((key) => store.transact({ then: ['a', 'b'].map((end) => ({ op: 'put', key: key + end, value })) })));
      writeSync(1, String(i + 10) + '\\n');
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  let acknowledged = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged = Number(line);
    if (acknowledged >= 300) child.kill('SIGKILL');
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  assert.equal(child.signalCode, 'SIGKILL');
  return acknowledged;
}
