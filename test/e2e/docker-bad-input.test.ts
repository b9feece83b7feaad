/** Bad input as a user of the real client meets it: one line that says what is wrong, and nothing left of it. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { TestEngine, whyNoDocker } from '../support/engine.ts';
import { hostileArchives } from '../support/hostile-archives.ts';
import { endless, LyingRegistry } from '../support/lying-registry.ts';
import { fingerprint, sentinelTree } from '../support/trees.ts';

describe('bad input by the docker client', { skip: whyNoDocker() }, () => {
  const place = mkdtempSync(join(tmpdir(), 'bad-input-'));
  const outside = sentinelTree(join(place, 'outside'));
  const bed = new TestEngine();
  let registry: LyingRegistry;
  before(async () => {
    await bed.open();
    await bed.importBusybox('bb');
    await bed.ok('run', '-d', '--name', 'there', 'bb', 'sleep', '1000');
    registry = await LyingRegistry.start();
  });
  after(async () => {
    await registry.end();
    await bed.end();
    rmSync(place, { recursive: true, force: true });
  });

  const images = async (): Promise<string> => bed.ok('images', '-aq');
  const blobs = (): string[] => readdirSync(join(bed.root, 'runtime/content/blobs/sha256')).sort();

  test('archives that climb out, by import, load and cp', async () => {
    const [before, stored, untouched] = [await images(), blobs(), fingerprint(outside)];
    const chosen = hostileArchives(outside).filter(({ name }) => ['.. in a name', 'a symbolic link, then through it', 'a hard link to outside', 'a directory swapped for a link', 'a gzip stream cut short'].includes(name));
    for (const { name, data } of chosen) {
      const file = join(place, 'archive.tar');
      writeFileSync(file, data);
      const imported = await bed.docker('import', file);
      assert.equal(imported.code, 1, name);
      assert.match(imported.stderr, /^Error response from daemon: (layer|tar|damaged)[^\n]*\n?$/, name);
      const loaded = await bed.docker('load', '-i', file);
      assert.equal(loaded.code, 1, name);
      await bed.dockerWith({ input: data }, 'cp', '-', 'there:/');
      rmSync(file);
      assert.deepEqual(fingerprint(outside), untouched, name);
    }
    assert.equal(await images(), before);
    assert.deepEqual(blobs(), stored);
    assert.equal(await bed.ok('exec', 'there', 'echo', 'runs on'), 'runs on');
  });

  test('a registry that lies, and an image that is not there', async () => {
    const [before, stored] = [await images(), blobs()];
    const name = `${registry.host}/image:1`;
    const { layers } = await registry.image('1', { layers: 2 });
    const lies: readonly [lie: typeof registry.lie, says: RegExp][] = [
      [(_q, response, path) => path.endsWith(layers[1]!.digest) && Boolean(response.end(gzipSync(Buffer.alloc(200_000)))), /ended after|has digest|want sha256/],
      [(_q, response, path) => path.includes('/blobs/') && endless(response), /is longer than its \d+ bytes/],
      [(_q, response, path) => path.includes('/manifests/') && Boolean(response.writeHead(302, { location: 'http://169.254.169.254/' }).end()), /an address of this host alone; it is not followed/],
      [(_q, response, path) => path.includes('/manifests/') && Boolean(response.writeHead(404, { 'content-type': 'application/json' }).end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}')), /manifest for .*\/image:1 not found: manifest unknown/],
    ];
    for (const [lie, says] of lies) {
      registry.lie = lie;
      const { code, stderr } = await bed.docker('pull', '-q', name);
      assert.equal(code, 1);
      assert.match(stderr.trim(), says);
      assert.equal(stderr.trim().split('\n').length, 1, stderr);
    }
    assert.equal(await images(), before);
    registry.lie = () => false;
    await bed.ok('pull', '-q', name);
    await bed.ok('rmi', name);
    assert.deepEqual(blobs(), stored);
    const missing = await bed.docker('run', '--rm', '--pull=never', 'nowhere:1', 'true');
    assert.match(missing.stderr, /No such image: nowhere:1/);
  });
});
