import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isFault } from '#lib/errors.ts';
import { execute, openTestBed, whyNoContainers } from './testing.ts';
import type { TestBed } from './testing.ts';

const skip = whyNoContainers();

describe('containers: life cycle', { skip }, () => {
  let bed: TestBed;
  before(async () => (bed = await openTestBed()));
  after(() => bed.end());

  const run = async (id: string, args: readonly string[], ...rest: [Parameters<TestBed['spec']>[2]?, Parameters<TestBed['spec']>[3]?]) => {
    await bed.containers.create(bed.spec(id, args, ...rest));
    await bed.containers.start(id);
  };
  const logOf = (id: string): string => readFileSync(`${bed.directory}/${id}.log`, 'utf8').replaceAll(/^\S+ (\S+) . /gm, '$1 ');

  it('runs to the end: states, events, exit code, output of a very short process', async () => {
    const events: string[] = [];
    const stop = bed.containers.observe((event) => events.push(`${event.type} ${event.status.state}`));
    const created = await bed.containers.create(bed.spec('short', ['sh', '-c', 'echo out; echo err >&2; exit 7'], { labels: { a: 'b' } }));
    assert.equal(created.state, 'created');
    assert.ok(created.pid! > 1);
    await bed.containers.start('short');
    const exit = await bed.containers.wait('short');
    assert.deepEqual([exit.code, exit.oomKilled], [7, false]);
    assert.ok(Math.abs(Date.now() - exit.finishedAt) < 5000);
    assert.deepEqual(logOf('short').split('\n').toSorted(), ['', 'stderr err', 'stdout out']);
    assert.deepEqual(bed.containers.get('short')?.labels, { a: 'b' });
    await bed.containers.remove('short');
    stop();
    assert.deepEqual(events, ['created created', 'started running', 'exited exited', 'removed exited']);
    assert.equal(bed.containers.get('short'), undefined);
    await bed.containers.remove('short');
  });

  it('refuses a second container of the same id, and unknown ones', async () => {
    await bed.containers.create(bed.spec('twice', ['true']));
    await assert.rejects(bed.containers.create(bed.spec('twice', ['true'])), (error) => isFault(error, 'already-exists'));
    await assert.rejects(bed.containers.create(bed.spec('../x', ['true'])), (error) => isFault(error, 'invalid'));
    assert.throws(() => bed.containers.wait('nobody'), (error) => isFault(error, 'not-found'));
    await bed.containers.remove('twice');
  });

  it('tells in Docker’s words why a command cannot run', async () => {
    const cases: [string[], number, RegExp][] = [
      [['nosuch'], 127, /exec: "nosuch": executable file not found in \$PATH/],
      [['/nosuch'], 127, /no such file or directory/],
      [['/etc/passwd'], 126, /permission denied/],
      [['/etc'], 126, /is a directory/],
    ];
    for (const [args, exitCode, message] of cases) {
      await assert.rejects(bed.containers.create(bed.spec('bad', args)), (error) => {
        assert.ok(isFault(error, 'invalid'), String(error));
        assert.equal(error.details['exitCode'], exitCode);
        assert.match(error.message, message);
        return true;
      });
      assert.equal(bed.containers.get('bad'), undefined);
    }
    assert.equal(bed.kernel.cgroups.exists(`${bed.directory.split('/').at(-1)}/test/bad`), false);
  });

  it('kills, and stops with a grace period', async () => {
    await run('kill', ['sleep', '100']);
    await bed.containers.kill('kill', 9);
    assert.equal((await bed.containers.wait('kill')).code, 137);
    await assert.rejects(bed.containers.kill('kill', 9), (error) => isFault(error, 'conflict'));

    await run('polite', ['sh', '-c', 'trap "exit 5" TERM; echo ready; while :; do sleep 0.05; done']);
    while (!logOf('polite').includes('ready')) await sleep(10);
    assert.equal((await bed.containers.stop('polite', { signal: 15, timeoutMs: 10_000 })).code, 5);

    await run('deaf', ['sh', '-c', 'trap "" TERM; echo ready; while :; do sleep 0.05; done']);
    while (!logOf('deaf').includes('ready')) await sleep(10);
    const began = Date.now();
    assert.equal((await bed.containers.stop('deaf', { signal: 15, timeoutMs: 300 })).code, 137);
    assert.ok(Date.now() - began >= 290);
    for (const id of ['kill', 'polite', 'deaf']) await bed.containers.remove(id);
  });

  it('pauses and resumes; a paused one can be removed', async () => {
    await run('pause', ['sh', '-c', 'while :; do echo x; sleep 0.02; done']);
    await sleep(60);
    await bed.containers.pause('pause');
    assert.equal(bed.containers.get('pause')?.state, 'paused');
    const before = logOf('pause').length;
    await sleep(80);
    assert.equal(logOf('pause').length, before);
    await assert.rejects(execute(bed.containers, 'pause', ['true']), /is paused/);
    await bed.containers.resume('pause');
    await sleep(80);
    assert.ok(logOf('pause').length > before);
    await bed.containers.pause('pause');
    await bed.containers.remove('pause');
  });

  it('keeps to limits, changes them, and tells of the kernel’s OOM kill', async () => {
    await run('limits', ['sleep', '100'], { resources: { memoryBytes: 32 << 20, pids: 50 } });
    const usage = bed.containers.usage('limits')!;
    assert.deepEqual([usage.memoryLimit, usage.pidsLimit], [32 << 20, 50]);
    await bed.containers.update('limits', { memoryBytes: 64 << 20, pids: 60 });
    const changed = bed.containers.usage('limits')!;
    assert.deepEqual([changed.memoryLimit, changed.pidsLimit], [64 << 20, 60]);
    assert.equal(bed.containers.processes('limits').length, 1);
    await bed.containers.remove('limits');

    const events: string[] = [];
    const stop = bed.containers.observe((event) => events.push(event.type));
    await run('oom', ['sh', '-c', 'tail /dev/zero'], { resources: { memoryBytes: 8 << 20, memorySwapBytes: 8 << 20 } });
    const exit = await bed.containers.wait('oom');
    stop();
    assert.deepEqual([exit.code, exit.oomKilled], [137, true]);
    assert.ok(events.includes('oom'));
    await bed.containers.remove('oom');
  });

  it('removes one that runs and one that never ran, with their cgroups', async () => {
    await run('running', ['sleep', '100']);
    await bed.containers.create(bed.spec('unborn', ['true']));
    const waited = bed.containers.wait('unborn');
    await bed.containers.remove('running');
    await bed.containers.remove('unborn');
    assert.equal((await waited).code, 137);
    const instance = bed.directory.split('/').at(-1);
    assert.equal(bed.kernel.cgroups.exists(`${instance}/test/running`), false);
    assert.deepEqual(bed.containers.list(), []);
  });
});
