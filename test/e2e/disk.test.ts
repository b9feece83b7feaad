/** A root on a disk that is full, and that becomes read-only: what fails says so in a line, what runs goes on, and all is well once the cause is gone. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { codeOf } from '#lib/errors.ts';
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
    await daemon.ok('kubectl', 'run', 'runs', '--image=bb', '--', 'sleep', '100000');
    await daemon.ok('kubectl', 'wait', '--for=condition=Ready', 'pod/runs', '--timeout=60s');
  });
  after(async () => {
    rmSync(fill, { force: true });
    // its end takes the mount along
    await daemon.end();
  });

  test('requests fail with the reason, what runs goes on, and once there is room all works again', async () => {
    fillUp(fill);
    const full = /no space left on (the )?device/i;
    const says = async (program: 'docker' | 'kubectl', ...args: string[]): Promise<string> => (await daemon.run(program, args)).stderr;
    assert.match(await says('docker', 'build', '--no-cache', '-t', 'more', join(daemon.root, 'bb-context')), full);
    let refusal = '';
    await until('a write to be refused', async () => (refusal = await says('docker', 'run', '-d', '--label', `l=${'x'.repeat(20_000)}`, 'bb', 'sleep', '100000')) !== '');
    assert.match(refusal, full);
    assert.doesNotMatch(refusal, /Attempting|undefined|\n\s+at /);
    const big = `--from-literal=a=${'x'.repeat(100_000)}`;
    await until('an object to be refused', async () => /could not write: .*full or failing disk/.test(await says('kubectl', 'create', 'configmap', `c${Date.now()}`, big)));
    assert.equal(await daemon.ok('docker', 'exec', 'runs', 'echo', 'in'), 'in');
    assert.equal(await daemon.ok('kubectl', 'exec', 'runs', '--', 'echo', 'in'), 'in');
    rmSync(fill);
    assert.equal(await daemon.ok('docker', 'run', '--rm', 'bb', 'echo', 'again'), 'again');
    await daemon.ok('docker', 'build', '--no-cache', '-t', 'more', join(daemon.root, 'bb-context'));
    await daemon.ok('kubectl', 'create', 'configmap', 'last', big);
    await daemon.kill();
    await daemon.up();
    assert.equal(await daemon.ok('kubectl', 'get', 'configmap', 'last', '-o', 'name'), 'configmap/last');
    assert.equal(await daemon.ok('docker', 'ps', '--filter', 'name=runs', '--format', '{{.State}}'), 'running');
  });
});

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
