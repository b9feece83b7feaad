/** Upper directories that a container changes while they are read: `Files` is called between two looks at the same name. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { isFault } from '#lib/errors.ts';
import { encodeTar } from '#lib/tar/write.ts';
import { linuxFiles } from '#sys/fs/linux.ts';
import type { Files } from '#sys/fs/types.ts';
import { changesOf, diffMembers, usageOf } from './diff.ts';

describe('a snapshot that changes while it is read', () => {
  let root: string;
  let upper: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'diff-'));
    upper = join(root, 'upper');
    for (const name of ['upper', 'lower', 'upper/a', 'lower/a', 'host']) mkdirSync(join(root, name));
    for (const name of ['upper/a/big', 'upper/b', 'host/b', 'host/big']) writeFileSync(join(root, name), name.startsWith('host') ? 'secret' : 'plain!');
  });
  afterEach(() => rmSync(root, { recursive: true }));
  const files = (meanwhile: (place: string) => void): Files => {
    const real = linuxFiles();
    const then = <T>(place: string, use: () => T): T => {
      meanwhile(place);
      return use();
    };
    return { ...real, getXattr: (place, name) => then(place, () => real.getXattr(place, name)), listXattrs: (place) => then(place, () => real.listXattrs(place)) };
  };

  it('has the changes that are left when something went', async () => {
    const changes = await changesOf(upper, join(root, 'lower'), files(() => rmSync(join(upper, 'b'), { force: true })));
    assert.deepEqual(changes.map(({ path, kind }) => `${kind} ${path}`), ['modified /a', 'added /a/big']);
    rmSync(join(upper, 'a'), { recursive: true });
    assert.deepEqual(await usageOf(upper), { bytes: 0, inodes: 0 });
  });

  for (const [what, swap] of [
    ['a file by a link', (): void => swapFor(join(upper, 'b'), join(root, 'host/b'))],
    ['a directory by a link', (): void => swapFor(join(upper, 'a'), join(root, 'host'))],
  ] as const) {
    it(`replaced ${what}, nothing of the host is read`, async () => {
      const watched = what.startsWith('a file') ? join(upper, 'b') : join(upper, 'a/big');
      let archive = '';
      const read = async (): Promise<void> => {
        for await (const chunk of encodeTar(diffMembers(upper, files((place) => place === watched && swap())))) archive += chunk.toString();
      };
      await assert.rejects(read(), (error) => isFault(error, 'conflict', 'not-found'));
      assert.doesNotMatch(archive, /secret/);
    });
  }
});

function swapFor(place: string, target: string): void {
  rmSync(place, { recursive: true });
  symlinkSync(target, place);
}
