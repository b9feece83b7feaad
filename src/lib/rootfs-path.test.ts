import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isFault } from './errors.ts';
import { resolveInRoot } from './rootfs-path.ts';

test('a path leads to where the tree\'s own processes find it, and never out of the tree', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'rootfs-'));
  t.after(() => rmSync(root, { recursive: true }));
  for (const name of ['etc', 'data', 'data/deep']) mkdirSync(join(root, name));
  writeFileSync(join(root, 'etc/passwd'), '');
  const links: [at: string, to: string][] = [
    ['data/absolute', '/etc'], ['data/deep/up', '../../etc'], ['data/deep/out', '../../../../../../etc'], ['data/chain', 'deep/up'], ['around', '/around2'], ['around2', 'around'],
  ];
  for (const [at, to] of links) symlinkSync(to, join(root, at));
  const found: [path: string, want: string][] = [
    ['/etc/passwd', 'etc/passwd'], ['etc/./passwd', 'etc/passwd'], ['/../../etc', 'etc'], ['/data/absolute/passwd', 'etc/passwd'],
    ['/data/deep/up/passwd', 'etc/passwd'], ['/data/deep/out/passwd', 'etc/passwd'], ['/data/chain', 'etc'], ['/data/absolute/new/file', 'etc/new/file'], ['/etc/passwd/x', 'etc/passwd/x'],
  ];
  for (const [path, want] of found) assert.equal(await resolveInRoot(root, path), join(root, want), path);
  assert.equal(await resolveInRoot(root, '/data/absolute', { followLast: false }), join(root, 'data/absolute'));
  await assert.rejects(resolveInRoot(root, '/around/x'), (error) => isFault(error, 'invalid') && /too many levels of symbolic links: \/around\/x/.test(error.message));
});
