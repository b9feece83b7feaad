/** Images by the real CLI: in and out of archives and registries, names, removal. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TestEngine, whyNoDocker } from '#test/support/engine.ts';
import { dockerOlderThan } from '#test/support/programs.ts';
import { registryMissing, startRegistry } from '#test/support/registry.ts';
import type { TestRegistry } from '#test/support/registry.ts';

describe('images', { skip: whyNoDocker() }, () => {
  let engine: TestEngine;

  before(async () => {
    engine = await new TestEngine().open();
    await engine.importBusybox('bb:1');
  });
  after(() => engine.end());

  test('import, tag, images, rmi by name', async () => {
    const id = await engine.ok('images', '-q', '--no-trunc', 'bb:1');
    await engine.ok('tag', 'bb:1', 'host.example:5000/team/app:v2');
    assert.equal(await engine.ok('images', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}', '--no-trunc', 'host.example:5000/team/*'), `host.example:5000/team/app:v2 ${id}`);
    assert.equal(await engine.ok('rmi', 'host.example:5000/team/app:v2'), 'Untagged: host.example:5000/team/app:v2');
    assert.match((await engine.docker('rmi', 'nosuch')).stderr, /No such image: nosuch:latest/);
    assert.match((await engine.docker('tag', 'bb:1', 'Upper')).stderr, /must be lowercase/);
  });

  test('an image in use stays: forced for a stopped container, never for a running one', async () => {
    await engine.ok('tag', 'bb:1', 'used:1');
    const id = (await engine.ok('images', '-q', 'bb:1'));
    await engine.ok('run', '-d', '--name', 'user', 'used:1', 'sleep', '100');
    assert.match((await engine.docker('rmi', id)).stderr, /must be forced\) - image is referenced in multiple repositories/);
    await engine.ok('rmi', 'used:1');
    assert.match((await engine.docker('rmi', '-f', id)).stderr, /cannot be forced\) - image is being used by running container/);
    await engine.ok('rm', '-f', 'user');
  });

  test('save and load bring back the same image, with its names', async () => {
    const file = join(engine.root, 'saved.tar');
    await engine.ok('tag', 'bb:1', 'bb:two');
    const id = await engine.ok('inspect', '-f', '{{.Id}}', 'bb:1');
    await engine.ok('save', '-o', file, 'bb:1', 'bb:two');
    assert.match(await engine.ok('rmi', 'bb:1', 'bb:two'), /Untagged: bb:1\nUntagged: bb:two\nDeleted: sha256:/);
    assert.equal(await engine.ok('images', '-q'), '');
    assert.match(await engine.ok('load', '-i', file), /Loaded image: bb:1\nLoaded image: bb:two/);
    assert.equal(await engine.ok('inspect', '-f', '{{.Id}}', 'bb:two'), id);
    assert.equal(await engine.ok('run', '--rm', 'bb:two', 'echo', 'back'), 'back');
    await engine.ok('rmi', 'bb:two');
  });

  test('commit makes an image of what a container changed; history and diff show it', async () => {
    await engine.ok('run', '--name', 'changed', 'bb:1', 'sh', '-c', 'echo new > /new; rm /etc/group');
    assert.deepEqual((await engine.ok('diff', 'changed')).split('\n').sort(), ['A /new', 'C /etc', 'D /etc/group']);
    await engine.ok('commit', '-m', 'why', '-a', 'me', '-c', 'ENV X=1', '-c', 'CMD ["cat","/new"]', 'changed', 'made:1');
    assert.equal(await engine.ok('run', '--rm', 'made:1'), 'new');
    assert.equal(await engine.ok('run', '--rm', 'made:1', 'sh', '-c', 'echo $X; ls /etc'), '1\nhostname\nhosts\npasswd\nresolv.conf');
    assert.match(await engine.ok('history', '--format', '{{.Comment}}', 'made:1'), /^why\n/);
    await engine.ok('rm', 'changed');
    await engine.ok('rmi', 'made:1');
    assert.match((await engine.docker('run', '--rm', '--pull=never', 'made:1')).stderr, /No such image: made:1/);
  });

  test('export gives the whole root file system', async () => {
    await engine.ok('create', '--name', 'whole', 'bb:1');
    const file = join(engine.root, 'whole.tar');
    await engine.ok('export', '-o', file, 'whole');
    assert.ok(existsSync(file));
    await engine.ok('import', file, 'again:1');
    assert.equal(await engine.ok('run', '--rm', 'again:1', '/bin/sh', '-c', 'cat /etc/group'), 'root:x:0:\napp:x:1000:');
    await engine.ok('rm', 'whole');
    await engine.ok('rmi', 'again:1');
  });

  test('an image of another platform than the one that is asked for is not there', { skip: dockerOlderThan(28) }, async () => {
    const other = /does not provide the specified platform \(linux\/arm64\)/;
    for (const command of [['image', 'inspect'], ['history'], ['save'], ['rmi'], ['push']]) {
      assert.match((await engine.docker(...command, '--platform', 'linux/arm64', 'bb:1')).stderr, other, command.join(' '));
    }
    assert.match((await engine.docker('load', '--platform', 'linux/arm64', '-i', '/dev/null')).stderr, /no image for platform linux\/arm64/);
    assert.equal(await engine.ok('image', 'inspect', '--platform', 'linux/amd64', '-f', '{{.Os}}', 'bb:1'), 'linux');
  });

  test('the directories that GraphDriver tells are there', async () => {
    await engine.ok('create', '--name', 'driven', 'bb:1');
    const [lower, upper] = (await engine.ok('inspect', '-f', '{{.GraphDriver.Data.LowerDir}} {{.GraphDriver.Data.UpperDir}}', 'driven')).split(' ');
    assert.ok(existsSync(`${lower}/bin/busybox`) && existsSync(upper ?? ''));
    assert.equal(await engine.ok('image', 'inspect', '-f', '{{.GraphDriver.Data.UpperDir}}', 'bb:1'), lower);
    await engine.ok('rm', 'driven');
  });

  test('what is no image archive is refused', async () => {
    const { code, stderr } = await engine.dockerWith({ input: 'not a tar at all' }, 'load');
    assert.equal(code, 1);
    assert.notEqual(stderr, '');
  });
});

describe('registries', { skip: whyNoDocker() ?? registryMissing() }, () => {
  let registry: TestRegistry;
  let engine: TestEngine;

  before(async () => {
    registry = await startRegistry();
    engine = await new TestEngine({ mirrors: [`http://${registry.host}`] }).open();
    await engine.importBusybox('bb:1');
  });
  after(async () => {
    await engine.end();
    await registry.end();
  });

  test('push, then pull by tag and by digest, from the registry itself', async () => {
    const name = `${registry.host}/team/bb:1`;
    await engine.ok('tag', 'bb:1', name);
    const pushed = await engine.ok('push', name);
    const digest = /1: digest: (sha256:[0-9a-f]{64}) size: \d+/.exec(pushed)?.[1] ?? '';
    assert.match(pushed, /The push refers to repository \[127.0.0.1:\d+\/team\/bb\]/);
    assert.notEqual(digest, '');
    await engine.ok('rmi', name);
    const pulled = await engine.ok('pull', name);
    assert.match(pulled, new RegExp(`^1: Pulling from .*team/bb[^]*Digest: ${digest}\nStatus: Downloaded newer image for ${name}`));
    assert.match(await engine.ok('pull', name), /Status: Image is up to date for/);
    assert.equal(await engine.ok('inspect', '-f', '{{index .RepoDigests 0}}', name), `${registry.host}/team/bb@${digest}`);
    assert.equal(await engine.ok('run', '--rm', `${registry.host}/team/bb@${digest}`, 'echo', 'by digest'), 'by digest');
    await engine.ok('rmi', name);
  });

  test('an image of Docker Hub comes from the mirror; docker run pulls what is missing', async () => {
    await engine.ok('tag', 'bb:1', `${registry.host}/library/hello:3`);
    await engine.ok('push', `${registry.host}/library/hello:3`);
    await engine.ok('rmi', `${registry.host}/library/hello:3`);
    const { code, stdout, stderr } = await engine.docker('run', '--rm', 'hello:3', 'echo', 'pulled');
    assert.deepEqual({ code, stdout }, { code: 0, stdout: 'pulled\n' });
    assert.match(stderr, /Unable to find image 'hello:3' locally/);
  });

  test('what a registry does not have is an error, as is a push of what is not here', async () => {
    assert.match((await engine.docker('pull', `${registry.host}/no/such:1`)).stderr, /manifest unknown|not found|does not exist/i);
    assert.match((await engine.docker('push', `${registry.host}/no/such:1`)).stderr, /An image does not exist locally with the tag/);
  });
});
