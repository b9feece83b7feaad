import assert from 'node:assert/strict';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { isFault } from '#lib/errors.ts';
import { linuxFiles } from '#sys/fs/linux.ts';
import { onLinuxAsRoot } from '#sys/testing.ts';
import { file, symlink, tarOf } from '../testing.ts';
import { extractArchive } from './extract.ts';

onLinuxAsRoot('extracting archives', () => {
  describe('extracting archives', () => {
    const limits = { limitBytes: 1000, limitEntries: 10 };
    const place = (t: TestContext): string => {
      const root = mkdtempSync(join(tmpdir(), 'extract-'));
      t.after(() => rmSync(root, { recursive: true, force: true }));
      mkdirSync(join(root, 'in'));
      return root;
    };
    const source = async (...members: Parameters<typeof tarOf>[0]): Promise<Readable> => Readable.from([gzipSync(await tarOf(members))]);

    it('names of whiteouts mean nothing here, entries are renamed or left out, what is there is replaced', async (t) => {
      const root = place(t);
      const archive = await source(file('.wh.x'), file('a'), file('secret'), file('a', 'again'));
      const done = await extractArchive(archive, join(root, 'in'), linuxFiles(), { ...limits, map: (entry) => (entry.name === 'secret' ? undefined : { ...entry, name: `to/${entry.name}`, uid: 9 }) });
      assert.deepEqual(readdirSync(join(root, 'in/to')).sort(), ['.wh.x', 'a']);
      assert.equal(readFileSync(join(root, 'in/to/a'), 'utf8'), 'again');
      assert.equal(lstatSync(join(root, 'in/to/a')).uid, 9);
      assert.equal(done.entries, 3);
    });

    it('it is bounded, can be stopped, and does not leave its directory', async (t) => {
      const root = join(place(t), 'in');
      const files = linuxFiles();
      await assert.rejects(extractArchive(await source(file('big', 'x'.repeat(1001))), root, files, limits), (e) => isFault(e, 'too-large'));
      await assert.rejects(extractArchive(await source(...Array.from({ length: 11 }, (_, i) => file(`f${i}`))), root, files, limits), (e) => isFault(e, 'too-large'));
      await assert.rejects(extractArchive(await source(file('x')), root, files, { ...limits, signal: AbortSignal.abort(new Error('stop')) }), /stop/);
      await extractArchive(await source(symlink('out', '../'), file('out/evil/x')), root, files, limits);
      assert.ok(existsSync(join(root, 'evil/x')), 'a link with .. leads to the root itself');
      assert.deepEqual(readdirSync(join(root, '..')), ['in']);
    });
  });
});
