/** Records that a failing disk or a hand has damaged: what they were of is left out and told, all else goes on. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openEmbeddedStore } from '#core/store/embedded/store.ts';
import { prefixEnd } from '#core/store/types.ts';
import { systemClock } from '#lib/clock.ts';
import { silentLogger } from '#lib/log.ts';
import { TestEngine, whyNoDocker } from '../support/engine.ts';

describe('damaged records', { skip: whyNoDocker() }, () => {
  const bed = new TestEngine();
  before(async () => {
    await bed.open();
    await bed.importBusybox('bb');
    await bed.ok('run', '-d', '--name', 'good', '-v', 'kept:/v', 'bb', 'sleep', '1000');
  });
  after(() => bed.end());

  /** Overwrites the values of the keys that match while no engine runs; says how many. */
  async function damage(what: RegExp, value: (key: string) => string): Promise<number> {
    const store = await openEmbeddedStore({ directory: join(bed.root, 'runtime/records'), durability: 'process', clock: systemClock, log: silentLogger });
    const { entries } = await store.range('/records/', prefixEnd('/records/'));
    const keys = entries.map(({ key }) => key).filter((key) => what.test(key));
    for (const key of keys) await store.put(key, Buffer.from(value(key)));
    await store.close();
    return keys.length;
  }

  const ways: readonly [what: string, value: (key: string) => string][] = [
    ['cut off', () => '{"id":"'],
    ['of another form', (key) => JSON.stringify({ id: key.slice(key.lastIndexOf('/') + 1) })],
  ];
  for (const [how, value] of ways) {
    test(`the records of one container, ${how}, stop neither the engine nor other containers`, async () => {
      for (const collection of ['docker-containers', 'snapshots', 'containers']) {
        const id = await bed.ok('run', '-d', '--name', `bad-${collection}`, 'bb', 'sleep', '1000');
        let damaged = 0;
        await bed.reopen(async () => {
          damaged = await damage(new RegExp(`^/records/${collection}/${id}$`), value);
        });
        assert.equal(await bed.ok('inspect', '-f', '{{.State.Running}}', 'good'), 'true', `${collection} is damaged`);
        assert.equal(damaged, 1);
        assert.equal(await bed.ok('run', '--rm', '-v', 'kept:/v', 'bb', 'echo', 'more'), 'more');
        assert.match(await bed.ok('ps', '-a', '--format', '{{.Names}}'), /^good$/m);
        assert.ok(bed.logged.some((line) => line.includes(id) && line.includes('error')), 'it is told');
        await bed.docker('rm', '-f', id);
      }
    });
  }
});
