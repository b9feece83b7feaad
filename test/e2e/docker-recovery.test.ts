/** The daemon goes and comes back: containers run on, and all of them is found again. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { openEmbeddedStore } from '#core/store/embedded/store.ts';
import { prefixEnd } from '#core/store/types.ts';
import { systemClock } from '#lib/clock.ts';
import { silentLogger } from '#lib/log.ts';
import { eventually, finished, TestEngine, whyNoDocker } from '#test/support/engine.ts';
import { freePort } from '#test/support/registry.ts';

describe('recovery', { skip: whyNoDocker() }, () => {
  let engine: TestEngine;

  before(async () => {
    engine = await new TestEngine().open();
    await engine.importBusybox('bb:1');
  });
  after(() => engine.end());

  test('output, exit codes, ports, names and restart policies after the daemon was away', async () => {
    const port = await freePort();
    await engine.ok('network', 'create', 'own');
    await engine.ok('run', '-d', '--name', 'web', '-p', `${port}:80`, '--network', 'own', 'bb:1', 'sh', '-c', 'mkdir /www; echo still > /www/index.html; exec httpd -f -p 80 -h /www');
    await engine.ok('run', '-d', '--name', 'count', 'bb:1', 'sh', '-c', 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done');
    await engine.ok('run', '-d', '--name', 'ends', 'bb:1', 'sh', '-c', 'sleep 1; echo last; exit 6');
    await engine.ok('run', '-d', '--name', 'comes-back', '--restart', 'always', 'bb:1', 'sh', '-c', 'sleep 1; exit 1');
    await engine.ok('run', '-d', '--name', 'stays-down', '--restart', 'unless-stopped', 'bb:1', 'sleep', '1000');
    await engine.ok('stop', '-t', '0', 'stays-down');
    await engine.ok('run', '-d', '--rm', '--name', 'vanishes', 'bb:1', 'sleep', '1');
    await engine.ok('pause', 'count');
    await engine.ok('unpause', 'count');
    const pid = await engine.ok('inspect', '-f', '{{.State.Pid}}', 'count');

    await engine.reopen(() => sleep(1500));

    assert.equal(await engine.ok('inspect', '-f', '{{.State.Pid}}', 'count'), pid);
    const lines = (await engine.ok('logs', 'count')).split('\n');
    assert.ok(lines.length > 12 && lines.every((line, i) => line === String(i + 1)), 'what it printed meanwhile is there');
    assert.equal(await engine.ok('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'ends'), 'exited 6');
    assert.equal(await engine.ok('logs', 'ends'), 'last');
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'still\n');
    assert.match(await engine.ok('port', 'web'), new RegExp(`0.0.0.0:${port}`));
    assert.equal(await engine.ok('run', '--rm', '--network', 'own', 'bb:1', 'wget', '-qO-', 'http://web/'), 'still');
    await eventually(async () => (await engine.ok('ps', '-q', '--filter', 'name=comes-back', '--filter', 'status=running')) !== '', 'the restart');
    assert.equal(await engine.ok('inspect', '-f', '{{.State.Status}}', 'stays-down'), 'exited');
    assert.equal(await engine.ok('ps', '-aq', '--filter', 'name=vanishes'), '');
    assert.equal(await engine.ok('exec', 'count', 'echo', 'in'), 'in');
    const code = finished(engine.spawn('wait', 'count'));
    await engine.ok('stop', '-t', '0', 'count');
    assert.equal((await code).stdout, '137\n');
    await engine.ok('rm', '-f', 'web', 'count', 'ends', 'comes-back', 'stays-down');
    await engine.ok('network', 'rm', 'own');
  });

  test('a restart that waited while the daemon was away is one of those that the policy allows', async () => {
    await engine.ok('run', '-d', '--name', 'retries', '--restart', 'on-failure:5', 'bb:1', 'sh', '-c', 'echo run; exit 3');
    const state = (): Promise<string> => engine.ok('inspect', '-f', '{{.State.Status}} {{.RestartCount}}', 'retries');
    // the waits double: by now one takes most of a second
    await eventually(async () => (await state()) === 'restarting 3', 'its fourth wait');
    await engine.reopen(() => sleep(100));
    await eventually(async () => (await state()) === 'exited 5', 'its last try');
    assert.equal((await engine.ok('logs', 'retries')).split('\n').length, 6, 'once, and five times again');
    await engine.ok('rm', 'retries');
  });

  const ends: readonly [what: string, awayMs: number, hidden: boolean][] = [
    ['runs on', 0, false],
    ['has ended meanwhile', 1500, false],
    ['has ended meanwhile, its start not recorded anywhere', 1500, true],
  ];
  for (const [what, awayMs, hidden] of ends) {
    test(`a restart by policy whose process was let go as the daemon was killed counts, and is started once: it ${what}`, async () => {
      const script = 'n=$(($(cat /n 2>/dev/null || echo 0) + 1)); echo $n > /n; echo run $n; [ $n = 2 ] && sleep 1; exit $n';
      const id = await engine.ok('run', '-d', '--restart', 'on-failure:3', 'bb:1', 'sh', '-c', script);
      const state = (): Promise<string> => engine.ok('inspect', '-f', '{{.State.Status}} {{.RestartCount}} {{.State.ExitCode}}', id);
      await eventually(async () => (await state()) === 'running 1 0', 'its second run');
      await engine.reopen(async () => {
        // as the store has it when the daemon is killed between the process's start and the record of it
        await change(`docker-containers/${id}`, (record) => {
          const before = record['state'] as object;
          record['state'] = { ...before, status: 'restarting', pid: 0, restartCount: 0, startedAt: 1 };
        });
        if (hidden) await change(`containers/${id}`, (record) => delete record['startedAt']);
        await sleep(awayMs);
      });
      if (awayMs === 0) assert.equal(await state(), 'running 1 0');
      await eventually(async () => (await state()) === 'exited 3 4', 'its last run');
      assert.equal(await engine.ok('logs', id), 'run 1\nrun 2\nrun 3\nrun 4');
      await engine.ok('rm', id);
    });
  }

  /** Changes a record while no daemon runs. */
  async function change(name: string, edit: (record: Record<string, unknown>) => void): Promise<void> {
    const store = await openEmbeddedStore({ directory: join(engine.root, 'runtime/records'), durability: 'process', clock: systemClock, log: silentLogger });
    const { entries } = await store.range('/records/', prefixEnd('/records/'));
    const entry = entries.find(({ key }) => key.endsWith(`/${name}`)) ?? assert.fail(`no record ${name}`);
    const record = JSON.parse(Buffer.from(entry.value).toString()) as Record<string, unknown>;
    edit(record);
    await store.put(entry.key, Buffer.from(JSON.stringify(record)));
    await store.close();
  }

  test('what stops with the engine starts with it again, by its policy', async () => {
    await engine.ok('run', '-d', '--name', 'service', '--restart', 'unless-stopped', 'bb:1', 'sh', '-c', 'trap exit TERM; sleep 1000 & wait');
    await engine.ok('run', '-d', '--name', 'task', 'bb:1', 'sh', '-c', 'trap exit TERM; sleep 1000 & wait');
    await engine.ok('run', '-d', '--name', 'off', '--restart', 'unless-stopped', 'bb:1', 'sleep', '1000');
    await engine.ok('stop', '-t', '0', 'off');
    await engine.engine.stopAll();
    assert.equal(await engine.ok('ps', '-q'), '');
    await engine.reopen();
    assert.equal(await engine.ok('ps', '--format', '{{.Names}}'), 'service');
    await engine.ok('rm', '-f', 'service', 'task', 'off');
  });

  test('what a creation left that was cut off is swept away', async () => {
    const id = 'ab'.repeat(32);
    const { snapshots, volumes, images } = engine.runtime;
    await engine.ok('volume', 'create', 'kept');
    mkdirSync(join(engine.root, 'docker/containers', id), { recursive: true });
    await snapshots.create(id, images.get('bb:1')?.chain ?? '');
    await volumes.use('kept', id);
    const anonymous = await volumes.create({});
    await volumes.use(anonymous.name, id);
    await engine.reopen();
    assert.deepEqual(engine.runtime.snapshots.active(), []);
    assert.equal(await engine.ok('volume', 'ls', '-q'), 'kept');
    assert.equal(await engine.ok('volume', 'rm', 'kept'), 'kept');
    assert.equal(existsSync(join(engine.root, 'docker/containers', id)), false);
  });

  test('what a start left that was cut off before its container was made is taken back', async () => {
    const id = await engine.ok('create', '--name', 'half', 'bb:1', 'echo', 'whole');
    const { snapshots, sandboxes, networks } = engine.runtime;
    await snapshots.mount(id);
    const { netPath } = await sandboxes.create({ id, owner: 'docker', labels: {}, namespaces: ['net'] });
    await networks.attach(networks.get('bridge')?.id ?? '', { sandboxId: id, namespace: netPath ?? '', interfaceName: 'eth0' });
    await engine.reopen();
    const { runtime } = engine;
    assert.deepEqual([runtime.sandboxes.list(), runtime.networks.endpoints({ sandbox: id }), runtime.snapshots.mountpoint(id)], [[], [], undefined]);
    assert.equal(await engine.ok('inspect', '-f', '{{.State.Status}}', 'half'), 'created');
    assert.equal(await engine.ok('start', '-a', 'half'), 'whole');
    await engine.ok('rm', 'half');
  });

  test('a container whose supervisor was killed is killed, with 137, and can start again; its policy starts it', async () => {
    await engine.ok('run', '-d', '--name', 'orphan', 'bb:1', 'sleep', '1000');
    const id = await engine.ok('inspect', '-f', '{{.Id}}', 'orphan');
    await engine.reopen(() => killSupervisor(id));
    assert.equal(await engine.ok('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'orphan'), 'exited 137');
    await engine.ok('start', 'orphan');
    assert.equal(await engine.ok('exec', 'orphan', 'echo', 'again'), 'again');
    await engine.ok('rm', '-f', 'orphan');
    const again = await engine.ok('run', '-d', '--restart', 'on-failure:3', 'bb:1', 'sleep', '1000');
    killSupervisor(again);
    await eventually(async () => (await engine.ok('inspect', '-f', '{{.State.Status}} {{.RestartCount}}', again)) === 'running 1', 'its restart');
    await engine.ok('rm', '-f', again);
  });
});

function killSupervisor(id: string): void {
  const found = readdirSync('/proc').filter((p) => /^\d+$/.test(p) && commandLine(p).includes('conmon') && commandLine(p).includes(id));
  assert.equal(found.length, 1);
  for (const pid of found) process.kill(Number(pid), 'SIGKILL');
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
