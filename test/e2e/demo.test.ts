/** `./gantry demo`: the main job, end to end. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { join } from 'node:path';
import { TestDaemon, whyNoDaemon } from '../support/daemon.ts';
import type { Result } from '../support/daemon.ts';
import { freePort } from '../support/registry.ts';

const gantry = join(import.meta.dirname, '../../src/main.ts');

describe('the demo', { skip: whyNoDaemon('docker', 'kubectl') ?? false }, () => {
  const daemon = new TestDaemon();
  let port = '';
  const demo = async (): Promise<Result> => {
    // one that nothing listens on, in place of Docker Hub: the base image is made from this host
    port ||= String(await freePort());
    return daemon.run(process.execPath, ['--disable-warning=ExperimentalWarning', gantry, 'demo', '--root', daemon.root, '--registry-mirror', `http://127.0.0.1:${port}`]);
  };
  after(() => daemon.end());

  test('builds, deploys, and sends a comment through every service', async () => {
    const { code, stdout, stderr } = await demo();
    assert.equal(code, 0, stderr + stdout);
    assert.match(stdout, /"comments":\[\{[^\]]*"content":"First!","status":"approved"/);
    for (const name of ['posts', 'comments', 'query', 'moderation', 'event-bus', 'client']) assert.match(stdout, new RegExp(`• build blog/${name}\n`));
    assert.match(stdout, /posts: 2 of 2/);
    const page = /the page: +(http:\/\/\S+)/.exec(stdout)?.[1] ?? '';
    assert.match(await fetch(page).then((r) => r.text()), /<html/i);
    assert.match(await daemon.ok('docker', 'images', '--format', '{{.Repository}}'), /blog\/posts/);
    assert.equal((await daemon.ok('kubectl', 'get', 'pods', '-l', 'app=posts', '--no-headers')).split('\n').length, 2);
  });

  test('a second run rebuilds nothing, and starts nothing anew', async () => {
    const pods = (): Promise<string> => daemon.ok('kubectl', 'get', 'pods', '-o', 'jsonpath={.items[*].metadata.uid}');
    const before = await pods();
    const { code, stdout, stderr } = await demo();
    assert.equal(code, 0, stderr + stdout);
    assert.equal(stdout.match(/, \d+ steps from the cache/g)?.length, 6);
    assert.doesNotMatch(stdout, /Step \d+\/\d+/);
    assert.match(stdout, /"status":"approved"/);
    assert.equal(await pods(), before);
  });

  test('what does not work is named by its step', async () => {
    await daemon.busybox('node:24-slim'); // no npm in it
    const { code, stderr } = await demo();
    assert.notEqual(code, 0);
    assert.match(stderr, /^gantry: the demo stopped at this step: build blog\/posts: .*npm/m);
  });
});
