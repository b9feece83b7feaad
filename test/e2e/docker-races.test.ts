/** A container that swaps its directories for links while it is copied from and to: nothing outside of it is read or written. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { directory, file, tarOf } from '#core/snapshots/testing.ts';
import { isFault } from '#lib/errors.ts';
import { eventually, TestEngine, whyNoDocker } from '../support/engine.ts';
import { fingerprint, hostSecret, sentinelTree } from '../support/trees.ts';

const rounds = 200;

describe('a container that changes its tree', { skip: whyNoDocker() }, () => {
  const place = mkdtempSync(join(tmpdir(), 'race-'));
  const outside = sentinelTree(join(place, 'outside'));
  const bed = new TestEngine();
  let id: string;
  let untouched: string[];
  before(async () => {
    await bed.open();
    await bed.importBusybox('bb');
    // x is now a directory, now a link to where the host has the sentinels, now a link to the root
    const swap = [
      'mkdir -p /w/a/directory /w/p; echo mine > /w/a/secret; echo mine > /w/a/directory/inner; cp /etc/passwd /w/p/passwd 2>/dev/null || echo root:x:0:0::/:/bin/sh > /w/p/passwd',
      `ln -s ${outside} /w/b; ln -s / /w/c; ln -s ../../../../../../../..${outside} /w/e; ln -s ${outside}/secret /w/s`,
      'cd /w; echo ready; while :; do for n in a b c e; do mv $n x 2>/dev/null; mv x $n 2>/dev/null; [ -e $n ] || [ -L $n ] || { [ $n = a ] && mkdir -p a/directory && echo mine > a/secret; }; done; done',
    ].join('; ');
    id = await bed.ok('run', '-d', '--name', 'racer', 'bb', 'sh', '-c', swap);
    await eventually(async () => (await bed.ok('logs', 'racer')) === 'ready', 'its tree');
    untouched = fingerprint(outside);
  });
  after(async () => {
    await bed.end();
    rmSync(place, { recursive: true, force: true });
  });

  /** Results and faults are fine; what else is thrown is not. */
  async function attempt(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      if (isFault(error) && error.kind !== 'internal') return false;
      // what vanished between two looks, by the kernel's name
      assert.match(String((error as { code?: unknown }).code ?? error), /^(ENOENT|ENOTDIR|ELOOP|EINVAL|ENOTEMPTY|EEXIST|EISDIR)$/, String(error));
      return false;
    }
  }

  test(`${rounds} times copied from, nothing of the host comes out`, async () => {
    const paths = ['/w', '/w/x', '/w/x/', '/w/x/.', '/w/x/secret', '/w/x/directory/inner', '/w/s'];
    let read = 0;
    for (let i = 0; i < rounds; i++) {
      const ok = await attempt(async () => {
        const { body } = await bed.engine.archives.read(id, paths[i % paths.length]!);
        const chunks: Buffer[] = [];
        for await (const chunk of body) chunks.push(chunk as Buffer);
        const all = Buffer.concat(chunks);
        assert.equal(all.includes(hostSecret), false, `round ${i}`);
      });
      if (ok) read++;
    }
    assert.ok(read > rounds / 10, `${read} reads came to their end`);
    assert.deepEqual(fingerprint(outside), untouched);
  });

  test(`${rounds} times copied to, nothing of the host is written, removed or given other modes`, async () => {
    const inside = await tarOf([directory('directory', { mode: 0o777 }), file('planted'), file('directory/planted'), file('secret', 'overwritten', { mode: 0o4777 })]);
    const above = await tarOf([directory('x', { mode: 0o777 }), file('x/planted'), file('x/directory/planted'), file('x', 'a file in its place'), file('x/secret', 'overwritten')]);
    const ways: readonly [path: string, tar: Buffer][] = [['/w/x', inside], ['/w/x/.', inside], ['/w', above], ['/w/x/directory', inside]];
    let written = 0;
    for (let i = 0; i < rounds; i++) {
      const [path, tar] = ways[i % ways.length]!;
      if (await attempt(() => bed.engine.archives.write(id, { path, noOverwriteDirNonDir: i % 3 === 0, copyUidGid: false }, Readable.from([tar], { objectMode: false })))) written++;
      assert.deepEqual(readdirSync(place), ['outside'], `round ${i}`);
      assert.deepEqual(fingerprint(outside), untouched, `round ${i}`);
    }
    assert.ok(written > 0);
    assert.deepEqual(readdirSync('/').filter((name) => name === 'planted'), []);
  });

  test('docker cp both ways, and exec with a user and a directory that are swapped', async () => {
    const harmless = join(bed.root, 'harmless');
    writeFileSync(harmless, 'harmless');
    for (let i = 0; i < 10; i++) {
      const target = join(place, 'copied');
      await bed.docker('cp', 'racer:/w/x', target);
      const found = await bed.docker('cp', harmless, 'racer:/w/x/secret');
      assert.doesNotMatch(found.stderr, /panic|internal/i);
      rmSync(target, { recursive: true, force: true });
      const run = await bed.docker('exec', '-w', '/w/x', 'racer', 'sh', '-c', 'cat secret; ls');
      assert.equal(run.stdout.includes(hostSecret), false);
      assert.deepEqual(fingerprint(outside), untouched);
    }
    assert.equal(await bed.ok('exec', 'racer', 'echo', 'served'), 'served');
  });
});
