import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { after, before, describe, it, test } from 'node:test';
import { createLogs } from '#core/logs/read.ts';
import type { LogOptions } from '#core/logs/types.ts';
import { nextLookMs } from './log-keeper.ts';
import { openTestBed, whyNoContainers } from './testing.ts';
import type { TestBed } from './testing.ts';

describe('containers: logs with limits', { skip: whyNoContainers() }, () => {
  let bed: TestBed;
  before(async () => (bed = await openTestBed()));
  after(() => bed.end());

  const read = async (id: string, options: LogOptions = {}): Promise<number[]> => {
    const lines: number[] = [];
    for await (const entry of createLogs().read(bed.containers.get(id)!.logPath!, options)) lines.push(Number(entry.data.toString().split(' ')[0]));
    return lines;
  };
  const filesOf = (id: string): string[] => readdirSync(bed.directory).filter((name) => name.startsWith(`${id}.log`)).sort();

  it('begins the next file in time, and a follower sees each line once', async () => {
    const limits = { bytes: 20_000, files: 3 };
    const script = 'i=0; while [ $i -lt 1500 ]; do echo "$i xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"; i=$((i+1)); [ $((i % 100)) = 0 ] && sleep 0.15; done; true';
    await bed.containers.create(bed.spec('chatty', ['sh', '-c', script], { logLimits: limits }));
    await bed.containers.start('chatty');
    const followed = read('chatty', { follow: { ended: bed.containers.wait('chatty'), signal: new AbortController().signal } });
    await bed.containers.wait('chatty');
    assert.deepEqual(await followed, Array.from({ length: 1500 }, (_, n) => n));
    assert.deepEqual(filesOf('chatty'), ['chatty.log', 'chatty.log.1', 'chatty.log.2']);
    const kept = await read('chatty');
    assert.equal(kept.at(-1), 1499);
    assert.ok(kept.length < 1500 && kept.every((line, n) => line === kept[0]! + n), 'the newest, without a gap');
    assert.deepEqual(await read('chatty', { tail: 3 }), [1497, 1498, 1499]);
    await bed.containers.remove('chatty');
  });

  it('with one file the older lines go; a daemon that comes back goes on', async () => {
    await bed.containers.create(bed.spec('one', ['sh', '-c', 'i=0; while sleep 0.01; do echo "$i xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"; i=$((i+1)); done'], { logLimits: { bytes: 5000, files: 1 } }));
    await bed.containers.start('one');
    await bed.reopen();
    const path = bed.containers.get('one')!.logPath!;
    const first = statSync(path).ino;
    for (let i = 0; i < 400 && statSync(path).ino === first; i++) await new Promise((resolve) => setTimeout(resolve, 25));
    assert.notEqual(statSync(path).ino, first);
    assert.deepEqual(filesOf('one'), ['one.log']);
    await bed.containers.remove('one');
  });
});

test('a log is looked at the sooner the faster it grows', () => {
  assert.equal(nextLookMs(1_000_000, 0, 1000), 2000);
  assert.equal(nextLookMs(500_000, 500_000, 1000), 500);
  assert.equal(nextLookMs(1000, 500_000, 1000), 100);
  assert.equal(nextLookMs(1_000_000, 0, 100), 200, 'after a start it takes time until looks are rare');
});
