import { isFault } from '#lib/errors.ts';
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Mounts } from './types.ts';

/** What every implementation of `Mounts` does. */
export function mountsSuite(name: string, make: () => Mounts): void {
  describe(`mounts: ${name}`, () => {
    let mounts: Mounts;
    let top: string;

    beforeEach(() => {
      mounts = make();
      top = mkdtempSync(join(tmpdir(), 'gantry-mount-'));
    });
    afterEach(() => {
      mounts.unmountTree(top);
      rmSync(top, { recursive: true, force: true });
    });

    const directory = (path: string): string => {
      mkdirSync(join(top, path), { recursive: true });
      return join(top, path);
    };
    const entry = (target: string) => mounts.list().find((each) => each.target === target);

    it('mounts a file system and takes it off again', () => {
      const target = directory('a');
      mounts.mount('tmpfs', target, 'tmpfs', ['nosuid', 'size=64k', 'mode=700']);
      const found = entry(target);
      assert.equal(found?.type, 'tmpfs');
      assert.ok(found.options.includes('nosuid'));
      assert.ok(found.options.includes('size=64k'));
      mounts.unmount(target);
      assert.equal(entry(target), undefined);
    });

    it('mounts on another thread', async () => {
      const target = directory('aside');
      await mounts.mountAside('tmpfs', target, 'tmpfs', ['noexec', 'size=64k']);
      assert.ok(entry(target)?.options.includes('noexec'));
      await mounts.mountAside(target, directory('bound'), '', ['bind', 'ro']);
      assert.ok(entry(join(top, 'bound'))?.options.includes('ro'));
    });

    it('makes a bind mount read-only without touching its source', () => {
      const source = directory('source');
      mounts.mount('tmpfs', source, 'tmpfs');
      const target = directory('target');
      mounts.mount(source, target, '', ['bind', 'ro', 'nodev', 'rprivate']);
      assert.ok(entry(target)?.options.includes('ro'));
      assert.ok(entry(target)?.options.includes('nodev'));
      assert.ok(entry(source)?.options.includes('rw'));
      assert.ok(!entry(source)?.options.includes('nodev'));
    });

    it('says that a target which is no mount is none', () => {
      assert.throws(
        () => mounts.unmount(directory('plain')),
        (error) => isFault(error, 'invalid') && error.message.includes('plain') && error.message.includes('not a mount'),
      );
    });

    it('takes off stacked and nested mounts, and only those below the directory', () => {
      const inside = directory('tree');
      const beside = directory('tree-two');
      mounts.mount('tmpfs', beside, 'tmpfs');
      mounts.mount('tmpfs', inside, 'tmpfs');
      const below = directory('tree/below');
      mounts.mount('tmpfs', below, 'tmpfs');
      mounts.mount('tmpfs', inside, 'tmpfs');
      assert.equal(mounts.unmountTree(inside), 3);
      assert.equal(entry(inside), undefined);
      assert.equal(entry(beside)?.type, 'tmpfs');
      assert.equal(mounts.unmountTree(inside), 0);
    });

    it('takes off what is mounted below a path that a link leads to', () => {
      const inside = directory('real/tree');
      symlinkSync(join(top, 'real'), join(top, 'link'));
      mounts.mount('tmpfs', inside, 'tmpfs');
      assert.equal(mounts.unmountTree(join(top, 'link/tree')), 1);
      assert.equal(entry(inside), undefined);
    });
  });
}
