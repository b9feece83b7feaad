/** A root on a disk that is full, and that becomes read-only: what fails says so in a line, what runs goes on, and all is well once the cause is gone. */
import assert from 'node:assert/strict';
import { execFileSync, fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '#lib/errors.ts';
import { whyNoRecordingDisk } from '../chaos/disk/recording.ts';
import { TestDaemon, until, whyNoDaemon } from '../support/daemon.ts';

const skip = whyNoDaemon('docker', 'kubectl') ?? false;

describe('a disk that is full', { skip }, () => {
  const daemon = new TestDaemon();
  const fill = join(daemon.root, 'fill');

  before(async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=96m', 'tmpfs', daemon.root]);
    await daemon.up();
    await daemon.busybox();
    await daemon.ok('docker', 'run', '-d', '--name', 'runs', 'bb', 'sleep', '100000');
    await daemon.ok('docker', 'run', '-d', '--name', 'prints', 'bb', 'sh', '-c', `i=0; while :; do echo line $i ${'x'.repeat(500)} end; i=$((i+1)); sleep 0.02; done`);
    await daemon.ok('kubectl', 'run', 'runs', '--image=bb', '--', 'sleep', '100000');
    await daemon.ok('kubectl', 'wait', '--for=condition=Ready', 'pod/runs', '--timeout=60s');
  });
  after(async () => {
    rmSync(fill, { force: true });
    // its end takes the mount along
    await daemon.end();
  });

  test('requests fail with the reason, what runs goes on, and once there is room all works again', async () => {
    const printed = (): Promise<string> => daemon.ok('docker', 'logs', 'prints');
    const last = numbers(await printed()).at(-1)!;
    fillUp(fill);
    const full = /no space left on (the )?device/i;
    const says = async (program: 'docker' | 'kubectl', ...args: string[]): Promise<string> => (await daemon.run(program, args)).stderr;
    assert.match(await says('docker', 'build', '--no-cache', '-t', 'more', join(daemon.root, 'bb-context')), /no space left on device[^\n]*; make room on the disk [^\n]*, then try again/);
    let refusal = '';
    await until('a write to be refused', async () => (refusal = await says('docker', 'run', '-d', '--label', `l=${'x'.repeat(20_000)}`, 'bb', 'sleep', '100000')) !== '');
    assert.match(refusal, full);
    assert.doesNotMatch(refusal, /Attempting|undefined|\n\s+at /);
    const big = `--from-literal=a=${'x'.repeat(100_000)}`;
    await until('an object to be refused', async () => /could not write: .*full or failing disk/.test(await says('kubectl', 'create', 'configmap', `c${Date.now()}`, big)));
    assert.equal(await daemon.ok('docker', 'exec', 'runs', 'echo', 'in'), 'in');
    assert.equal(await daemon.ok('kubectl', 'exec', 'runs', '--', 'echo', 'in'), 'in');
    await sleep(1000);
    rmSync(fill);
    await until('what a container prints to be kept again', async () => numbers(await printed()).at(-1)! > last);
    assert.ok(gaps(numbers(await printed())).length > 0, 'what it printed meanwhile is lost');
    const before = numbers(await printed()).at(-1)!;
    await until('its output to go on', async () => numbers(await printed()).at(-1)! > before + 50);
    assert.deepEqual(gaps(numbers(await printed()).filter((n) => n > before)), []);
    assert.equal(await daemon.ok('docker', 'run', '--rm', 'bb', 'echo', 'again'), 'again');
    await daemon.ok('docker', 'build', '--no-cache', '-t', 'more', join(daemon.root, 'bb-context'));
    await daemon.ok('kubectl', 'create', 'configmap', 'last', big);
    await daemon.kill();
    await daemon.up();
    assert.equal(await daemon.ok('kubectl', 'get', 'configmap', 'last', '-o', 'name'), 'configmap/last');
    assert.equal(await daemon.ok('docker', 'ps', '--filter', 'name=runs', '--format', '{{.State}}'), 'running');
  });
});

describe('a disk that fails', { skip: skip || whyNoRecordingDisk() }, () => {
  const daemon = new TestDaemon();
  const stores = ['cluster/store', 'runtime/records'].map((below) => join(daemon.root, below));
  let disks: ChildProcess;
  const fail = async (errno: number | null): Promise<void> => {
    const done = once(disks, 'message');
    disks.send(errno as number);
    await done;
  };

  before(async () => {
    await daemon.up();
    await daemon.kill();
    disks = fork(join(import.meta.dirname, '../chaos/disk/serve.ts'), [], { env: { ...process.env, DISKS: stores.join(':') } });
    await once(disks, 'message');
    await daemon.up();
    await daemon.busybox();
    await daemon.ok('docker', 'run', '-d', '--name', 'runs', 'bb', 'sleep', '100000');
    await daemon.ok('kubectl', 'run', 'runs', '--image=bb', '--', 'sleep', '100000');
    await daemon.ok('kubectl', 'wait', '--for=condition=Ready', 'pod/runs', '--timeout=60s');
  });
  after(async () => {
    try {
      await fail(null);
      await daemon.end();
    } finally {
      const ended = once(disks, 'exit');
      disks.disconnect();
      await ended;
    }
  });

  for (const [what, errno] of [['gives errors', constants.errno.EIO], ['is read-only', constants.errno.EROFS]] as const) {
    test(`it ${what}: both doors refuse writes and say why, and read on; it is well again: so are they`, async () => {
      const { pid } = (await daemon.status()).daemon;
      const lines = (): number => daemon.log().split('\n').filter((line) => line.includes('the store could not write, and refuses until it can')).length;
      const told = lines();
      await fail(errno);
      const refused = /could not write: .*full or failing disk/;
      await until('an object to be refused', async () => refused.test((await daemon.kubectl('create', 'configmap', `c${errno}`)).stderr));
      for (let i = 0; i < 3; i++) {
        assert.match((await daemon.kubectl('create', 'configmap', `c${errno}`)).stderr, refused);
        const { stderr } = await daemon.docker('volume', 'create', `v${errno}`);
        assert.match(stderr, refused);
        assert.doesNotMatch(stderr, /undefined|\n\s+at /);
      }
      assert.equal(await daemon.ok('kubectl', 'get', 'pod', 'runs', '-o', 'jsonpath={.status.phase}'), 'Running');
      assert.equal(await daemon.ok('kubectl', 'exec', 'runs', '--', 'echo', 'in'), 'in');
      assert.equal(await daemon.ok('docker', 'inspect', '-f', '{{.State.Status}}', 'runs'), 'running');
      assert.equal(await daemon.ok('docker', 'exec', 'runs', 'echo', 'in'), 'in');
      assert.equal(lines(), told + stores.length, 'each store says it once');
      await fail(null);
      await daemon.ok('kubectl', 'create', 'configmap', `c${errno}`);
      await daemon.ok('docker', 'volume', 'create', `v${errno}`);
      assert.equal(await daemon.ok('docker', 'run', '--rm', 'bb', 'echo', 'again'), 'again');
      assert.equal((await daemon.status()).daemon.pid, pid);
      await daemon.kill();
      await daemon.up();
      await daemon.ok('kubectl', 'get', 'configmap', `c${errno}`);
      await daemon.ok('docker', 'volume', 'inspect', `v${errno}`);
      assert.equal(await daemon.ok('docker', 'ps', '--filter', 'name=runs', '--format', '{{.State}}'), 'running');
    });
  }
});

/** Of lines that are whole. */
function numbers(text: string): number[] {
  return [...text.matchAll(/^line (\d+) x+ end$/gm)].map(([, n]) => Number(n));
}

function gaps(of: readonly number[]): number[] {
  return of.filter((n, i) => i > 0 && n !== of[i - 1]! + 1);
}

function fillUp(path: string): void {
  const file = openSync(path, 'w');
  for (const size of [1 << 20, 4096]) {
    try {
      for (;;) writeSync(file, Buffer.alloc(size));
    } catch (error) {
      assert.equal(codeOf(error), 'ENOSPC');
    }
  }
  closeSync(file);
}
