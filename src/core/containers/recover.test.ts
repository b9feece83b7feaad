import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, mock } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { execute, openTestBed, whyNoContainers } from './testing.ts';
import type { TestBed } from './testing.ts';
import type { ContainerEvent } from './types.ts';

const skip = whyNoContainers();

describe('containers: a daemon that was killed and came back', { skip }, () => {
  let bed: TestBed;
  before(async () => (bed = await openTestBed()));
  after(() => bed.end());

  const conmonPid = (id: string): number => Number(readFileSync(join(bed.directory, 'containers/bundles', id, 'conmon.pid'), 'utf8'));

  it('finds what runs, what ended meanwhile with code and output, and what waits', async () => {
    const script = (code: number): string[] => ['sh', '-c', `echo before; while ! test -e /tmp/go${code}; do sleep 0.02; done; echo after; exit ${code}`];
    for (const [id, args] of [['runs', script(3)], ['ends', script(4)], ['waits', ['sh', '-c', 'exit 5']]] as const) await bed.containers.create(bed.spec(id, args));
    for (const id of ['runs', 'ends']) await bed.containers.start(id);
    const pid = bed.containers.get('runs')!.pid;
    await bed.containers.close();
    await execute(bed.containers, 'ends', ['touch', '/tmp/go4']);
    await bed.kernel.processes.ended(conmonPid('ends'));
    await bed.reopen();

    const missed: ContainerEvent[] = [];
    bed.containers.observe((event) => missed.push(event));
    assert.deepEqual(missed.map((event) => `${event.type} ${event.status.id} ${event.status.exit?.code}`), ['exited ends 4']);
    assert.match(readFileSync(bed.containers.get('ends')!.logPath!, 'utf8'), /before\n.*after\n/);
    assert.deepEqual([bed.containers.get('runs')?.state, bed.containers.get('runs')?.pid], ['running', pid]);
    assert.equal(bed.containers.get('waits')?.state, 'created');
    await bed.containers.start('waits');
    assert.equal((await bed.containers.wait('waits')).code, 5);
    await execute(bed.containers, 'runs', ['touch', '/tmp/go3']);
    assert.equal((await bed.containers.wait('runs')).code, 3);
    for (const id of ['runs', 'ends', 'waits']) await bed.containers.remove(id);
  });

  it('removes what a removal left that was cut off, wherever that was', async () => {
    const runtimeState = join(bed.directory, 'containers/runtime/half');
    // before any file has gone; after the first file of one tree, of two
    for (const trees of [0, 1, 2]) {
      await bed.containers.create(bed.spec('half', ['true']));
      await bed.containers.start('half');
      await bed.containers.wait('half');
      let left = trees;
      const cut = mock.method(bed.kernel.files, 'removeTree', async (path: string) => {
        if (left-- > 0) rmSync(join(path, 'config.json'), { force: true });
        throw new Error('the daemon ends');
      });
      await bed.containers.remove('half');
      await bed.containers.close();
      cut.mock.restore();
      assert.ok(readdirSync(join(bed.directory, 'containers/bundles')).includes('half'));
      await bed.reopen();
      await bed.containers.close();
      await bed.reopen();
      assert.deepEqual([bed.containers.get('half'), readdirSync(join(bed.directory, 'containers/bundles')).includes('half'), existsSync(runtimeState)], [undefined, false, false]);
    }
  });

  it('kills a container whose supervisor was killed, also one that is paused', async () => {
    for (const paused of [false, true]) {
      await bed.containers.create(bed.spec('orphan', ['sleep', '100']));
      const { pid } = await bed.containers.start('orphan');
      if (paused) await bed.containers.pause('orphan');
      process.kill(conmonPid('orphan'), 'SIGKILL');
      assert.equal((await bed.containers.wait('orphan')).code, 137);
      assert.equal(bed.kernel.processes.alive(pid!), false);
      await bed.containers.remove('orphan');
    }
  });

  it('knows how one ended that it killed for its supervisor, if its own end came before that was recorded', async () => {
    await bed.containers.create(bed.spec('orphan', ['sleep', '100']));
    await bed.containers.start('orphan');
    process.kill(conmonPid('orphan'), 'SIGKILL');
    while (!existsSync(join(bed.directory, 'containers/bundles/orphan/exit'))) await sleep(1);
    await bed.containers.close();
    await bed.reopen();
    assert.equal(bed.containers.get('orphan')?.exit?.code, 137);
    await bed.containers.remove('orphan');
  });

  it('kills a process with a terminal whose supervisor was killed', async () => {
    await bed.containers.create(bed.spec('holds', ['sleep', '100']));
    await bed.containers.start('holds');
    const { pid, exited } = await bed.containers.exec('holds', { process: { args: ['sleep', '100'], env: [], cwd: '/', user: { uid: 0, gid: 0, additionalGids: [] }, terminal: true }, attach: true });
    const bundle = join(bed.directory, 'containers/bundles/holds');
    const exec = readdirSync(bundle).find((name) => name.startsWith('exec-')) ?? '';
    process.kill(Number(readFileSync(join(bundle, exec, 'conmon.pid'), 'utf8')), 'SIGKILL');
    assert.equal((await exited).code, 137);
    await bed.kernel.processes.ended(pid);
    await bed.containers.remove('holds');
  });

  it('takes away one that was made and not started, and whose supervisor ended with the daemon', async () => {
    await bed.containers.create(bed.spec('unborn', ['sleep', '100']));
    const pid = conmonPid('unborn');
    await bed.containers.close();
    process.kill(pid, 'SIGKILL');
    await bed.kernel.processes.ended(pid);
    await bed.reopen();
    assert.equal(bed.containers.get('unborn'), undefined);
  });

  it('takes away what no record knows', async () => {
    await bed.containers.create(bed.spec('unknown', ['sleep', '100']));
    const { pid } = await bed.containers.start('unknown');
    await bed.containers.close();
    const records = await bed.records<{ id: string }>('containers');
    await records.delete('unknown');
    await bed.reopen();
    assert.equal(bed.containers.get('unknown'), undefined);
    await bed.kernel.processes.ended(pid!);
    await sleep(0);
  });
});
