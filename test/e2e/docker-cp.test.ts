/** `docker cp` by the real CLI, and that a container's links lead no copy out of it. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TestEngine, whyNoDocker } from '#test/support/engine.ts';

describe('docker cp', { skip: whyNoDocker() }, () => {
  let engine: TestEngine;
  let here: string;

  before(async () => {
    engine = await new TestEngine().open();
    await engine.importBusybox('bb:1');
    here = join(engine.root, 'here');
    mkdirSync(join(here, 'tree/sub'), { recursive: true });
    writeFileSync(join(here, 'file'), 'content\n', { mode: 0o640 });
    writeFileSync(join(here, 'tree/sub/leaf'), 'leaf\n');
  });
  after(() => engine.end());

  for (const state of ['running', 'stopped'] as const) {
    test(`to and from a ${state} container, through its volumes too`, async () => {
      const name = `${state}1`;
      await engine.ok('run', '-d', '--name', name, '-v', `${state}:/vol`, 'bb:1', 'sleep', '1000');
      if (state === 'stopped') await engine.ok('stop', '-t', '0', name);
      await engine.ok('cp', join(here, 'file'), `${name}:/tmp/`);
      await engine.ok('cp', join(here, 'tree'), `${name}:/vol/`);
      await engine.ok('cp', `${join(here, 'tree')}/.`, `${name}:/home/`);
      await engine.ok('cp', `${name}:/tmp/file`, join(here, `${state}-file`));
      await engine.ok('cp', `${name}:/vol`, join(here, `${state}-vol`));
      assert.equal(readFileSync(join(here, `${state}-file`), 'utf8'), 'content\n');
      assert.equal(readFileSync(join(here, `${state}-vol/tree/sub/leaf`), 'utf8'), 'leaf\n');
      if (state === 'stopped') await engine.ok('start', name);
      assert.equal(await engine.ok('exec', name, 'sh', '-c', 'cat /tmp/file /vol/tree/sub/leaf /home/sub/leaf; stat -c %a /tmp/file'), 'content\nleaf\nleaf\n640');
      assert.match((await engine.docker('cp', `${name}:/no/such`, here)).stderr, /Could not find the file \/no\/such in container/);
      await engine.ok('rm', '-f', name);
    });

    test(`links that a ${state} container makes stay inside it`, async () => {
      const name = `${state}2`;
      const outside = join(engine.root, `outside-${state}`);
      mkdirSync(outside);
      await engine.ok('run', '-d', '--name', name, 'bb:1', 'sh', '-c', `ln -s ${outside} /abs; ln -s ../../../../../../../..${outside} /rel; ln -s /etc/passwd /tmp/pw; mkdir -p ${outside}; touch /made; sleep 1000`);
      for (let made = ''; made !== '/made';) made = (await engine.docker('exec', name, 'ls', '/made')).stdout.trim();
      if (state === 'stopped') await engine.ok('stop', '-t', '0', name);
      await engine.ok('cp', join(here, 'file'), `${name}:/abs/`);
      await engine.ok('cp', join(here, 'file'), `${name}:/rel/second`);
      assert.ok(!existsSync(join(outside, 'file')) && !existsSync(join(outside, 'second')), 'nothing was written outside');
      await engine.ok('cp', `${name}:/tmp/pw`, join(here, `${state}-link`));
      assert.equal(readlinkSync(join(here, `${state}-link`)), '/etc/passwd');
      await engine.ok('cp', '-L', `${name}:/tmp/pw`, join(here, `${state}-followed`));
      assert.match(readFileSync(join(here, `${state}-followed`), 'utf8'), /^root:x:0:0:root:\/root:\/bin\/sh\napp/);
      await engine.ok('cp', `${name}:${outside}`, join(here, `${state}-inside`));
      assert.deepEqual(readdirSync(join(here, `${state}-inside`)).sort(), ['file', 'second']);
      await engine.ok('rm', '-f', name);
    });
  }

  test('all of a running container, but for what the kernel shows in it', async () => {
    await engine.ok('run', '-d', '--name', 'whole', '--tmpfs', '/scratch', 'bb:1', 'sh', '-c', 'echo kept > /scratch/file; touch /made; sleep 1000');
    for (let made = ''; made !== '/made';) made = (await engine.docker('exec', 'whole', 'ls', '/made')).stdout.trim();
    const all = join(here, 'whole');
    await engine.ok('cp', 'whole:/', all);
    assert.equal(readFileSync(join(all, 'scratch/file'), 'utf8'), 'kept\n');
    assert.match(readFileSync(join(all, 'etc/passwd'), 'utf8'), /^root:/);
    for (const name of ['proc', 'sys', 'dev']) assert.deepEqual(readdirSync(join(all, name)), [], name);
    await engine.ok('rm', '-f', 'whole');
  });

  test('a stopped container\'s nested mounts and subpaths are copied as it would see them', async () => {
    await engine.ok('run', '--rm', '-v', 'deep:/d', 'bb:1', 'sh', '-c', 'mkdir -p /d/in/side; echo 1 > /d/in/side/one; ln -s /etc /d/in/out');
    const mount = 'type=volume,src=deep,dst=/top/vol,volume-subpath=in';
    await engine.ok('create', '--name', 'nested', '--mount', mount, '-v', `${here}:/top/vol/side/host:ro`, 'bb:1', 'sh', '-c', 'cat /top/vol/side/one');
    await engine.ok('cp', 'nested:/top/vol/side/one', join(here, 'one'));
    assert.equal(readFileSync(join(here, 'one'), 'utf8'), '1\n');
    assert.equal(await engine.ok('start', '-a', 'nested'), '1');
    await engine.ok('cp', 'nested:/top', join(here, 'top'));
    assert.equal(readFileSync(join(here, 'top/vol/side/one'), 'utf8'), '1\n');
    assert.equal(readFileSync(join(here, 'top/vol/side/host/file'), 'utf8'), 'content\n');
    await engine.ok('cp', 'nested:/top/vol/out/passwd', join(here, 'passwd'));
    assert.match(readFileSync(join(here, 'passwd'), 'utf8'), /^root:x:0:0:root:\/root:\/bin\/sh\napp/);
    await engine.ok('rm', 'nested');
    const missing = await engine.docker('run', '--rm', '--mount', 'type=volume,src=deep,dst=/x,volume-subpath=none', 'bb:1', 'true');
    assert.match(missing.stderr, /the volume has no such path/);
  });

  test('a read-only root and a read-only mount take nothing; a file is no directory', async () => {
    await engine.ok('run', '-d', '--name', 'ro', '--read-only', '-v', 'rov:/v:ro', '-v', 'rwv:/w', 'bb:1', 'sleep', '1000');
    assert.match((await engine.docker('cp', join(here, 'file'), 'ro:/tmp/')).stderr, /container rootfs is marked read-only/);
    assert.match((await engine.docker('cp', join(here, 'file'), 'ro:/v/')).stderr, /marked read-only/);
    await engine.ok('cp', join(here, 'file'), 'ro:/w/');
    await engine.ok('rm', '-f', 'ro');
    await engine.ok('create', '--name', 'kinds', 'bb:1');
    assert.notEqual((await engine.docker('cp', join(here, 'file'), 'kinds:/etc/passwd/x')).code, 0);
    assert.notEqual((await engine.docker('cp', join(here, 'tree'), 'kinds:/etc/passwd')).code, 0);
    await engine.ok('rm', 'kinds');
  });
});
