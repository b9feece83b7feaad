import { isFault } from '#lib/errors.ts';
import assert from 'node:assert/strict';
import { constants, existsSync, lstatSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Files } from './types.ts';

/** What every implementation of `Files` does. */
export function filesSuite(name: string, make: () => Files): void {
  describe(`files: ${name}`, () => {
    let files: Files;
    let top: string;
    let root: number;
    beforeEach(() => {
      files = make();
      top = mkdtempSync(join(tmpdir(), 'gantry-fs-'));
      mkdirSync(join(top, 'root'));
      writeFileSync(join(top, 'secret'), 'outside');
      root = openSync(join(top, 'root'), constants.O_RDONLY | constants.O_DIRECTORY);
    });
    afterEach(() => {
      files.close(root);
      rmSync(top, { recursive: true });
    });
    const at = (path: string): string => join(top, 'root', path);
    const read = (path: string): string => {
      const fd = files.openInRoot(root, path, constants.O_RDONLY);
      try {
        return readFileSync(files.pathOf(fd), 'utf8');
      } finally {
        files.close(fd);
      }
    };

    it('keeps extended attributes, of any bytes', () => {
      writeFileSync(at('f'), '');
      const value = Buffer.from([0, 255, 10]);
      files.setXattr(at('f'), 'user.a', value);
      files.setXattr(at('f'), 'user.empty', Buffer.alloc(0));
      assert.deepEqual(files.getXattr(at('f'), 'user.a'), value);
      assert.equal(files.getXattr(at('f'), 'user.empty')?.length, 0);
      assert.equal(files.getXattr(at('f'), 'user.none'), undefined);
      assert.deepEqual(files.listXattrs(at('f')).filter((each) => each.startsWith('user.')).sort(), ['user.a', 'user.empty']);
      files.removeXattr(at('f'), 'user.a');
      assert.throws(() => files.removeXattr(at('f'), 'user.a'), (error) => isFault(error, 'not-found'));
      assert.throws(() => files.getXattr(at('none'), 'user.a'), (error) => isFault(error, 'not-found') && error.message.includes('none'));
    });

    it('opens inside the root whatever links say', () => {
      mkdirSync(at('etc'));
      writeFileSync(at('etc/passwd'), 'inside');
      writeFileSync(at('secret'), 'not that one');
      symlinkSync('/etc/passwd', at('absolute'));
      symlinkSync('../../../../etc/passwd', at('etc/upward'));
      symlinkSync('..', at('etc/parent'));
      for (const path of ['absolute', 'etc/upward', '/etc/passwd', '../../etc/passwd', 'etc/parent/../etc/passwd']) assert.equal(read(path), 'inside', path);
      assert.equal(read('../secret'), 'not that one');
      symlinkSync('loop', at('loop'));
      assert.throws(() => read('loop'), (error) => isFault(error, 'invalid'));
      assert.throws(() => read('none'), (error) => isFault(error, 'not-found') && error.message.includes('none'));
    });

    it('creates inside the root, and leaves a last link alone where told', () => {
      symlinkSync(join(top, 'secret'), at('link'));
      mkdirSync(at(top), { recursive: true });
      const fd = files.openInRoot(root, 'link', constants.O_WRONLY | constants.O_CREAT, 0o640);
      writeSync(fd, 'kept in');
      files.close(fd);
      assert.equal(readFileSync(join(top, 'secret'), 'utf8'), 'outside');
      assert.equal(readFileSync(at(join(top, 'secret')), 'utf8'), 'kept in');
      assert.throws(() => files.openInRoot(root, 'link', constants.O_RDONLY | constants.O_NOFOLLOW), (error) => isFault(error, 'invalid'));
    });

    it('sets times of links themselves, to the nanosecond or near it', () => {
      symlinkSync('nowhere', at('link'));
      files.setTimes(at('link'), 1_500_000_000_000_000_000n, 1_600_000_000_123_456_789n);
      const { atimeMs, mtimeMs } = lstatSync(at('link'));
      assert.deepEqual([Math.round(atimeMs), Math.floor(mtimeMs)], [1_500_000_000_000, 1_600_000_000_123]);
    });

    it('exchanges two names, and refuses to replace', () => {
      writeFileSync(at('a'), 'A');
      mkdirSync(at('b'));
      files.rename(at('a'), at('b'), 'exchange');
      assert.equal(readFileSync(at('b'), 'utf8'), 'A');
      assert.ok(statSync(at('a')).isDirectory());
      assert.throws(() => files.rename(at('b'), at('a'), 'no-replace'), (error) => isFault(error, 'already-exists'));
      files.rename(at('b'), at('c'), 'no-replace');
      assert.deepEqual(readdirSync(join(top, 'root')).sort(), ['a', 'c']);
      assert.throws(() => files.rename(at('c'), at('none'), 'exchange'), (error) => isFault(error, 'not-found'));
    });

    it('removes a tree, and does not mind that it is gone', async () => {
      mkdirSync(join(top, 'tree/below'), { recursive: true });
      writeFileSync(join(top, 'tree/below/file'), '');
      symlinkSync(top, join(top, 'tree/link'));
      await files.removeTree(join(top, 'tree'));
      await files.removeTree(join(top, 'tree'));
      assert.deepEqual([existsSync(join(top, 'tree')), existsSync(top)], [false, true]);
    });

    it('sets aside what a file will need, and leaves it as it is', () => {
      const path = join(top, 'ahead');
      const fd = openSync(path, 'w+');
      files.reserve(fd, 0, 1 << 20);
      assert.equal(statSync(path).size, 0);
      writeSync(fd, 'whole');
      files.close(fd);
      assert.equal(readFileSync(path, 'utf8'), 'whole');
    });

    it('knows the space of a file system, and syncs directories only', () => {
      const space = files.space(top);
      assert.ok(space.total >= space.free && space.free >= space.available && space.available > 0);
      files.syncDirectory(top);
      assert.throws(() => files.syncDirectory(join(top, 'secret')), (error) => isFault(error, 'invalid'));
    });

    it('locks a file for one at a time', () => {
      const path = join(top, 'lock');
      const first = files.lock(path);
      assert.throws(() => files.lock(path), (error) => isFault(error, 'conflict') && error.message.includes(path));
      first.release();
      files.lock(path).release();
      assert.equal(statSync(path).mode & 0o777, 0o600);
      symlinkSync(path, join(top, 'link'));
      assert.throws(() => files.lock(join(top, 'link')), (error) => isFault(error, 'invalid'));
    });
  });
}
