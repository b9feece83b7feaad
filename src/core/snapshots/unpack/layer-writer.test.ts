import assert from 'node:assert/strict';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { isFault } from '#lib/errors.ts';
import { tarEntry } from '#lib/tar/types.ts';
import type { TarSource } from '#lib/tar/write.ts';
import { linuxFiles } from '#sys/fs/linux.ts';
import { onLinuxAsRoot } from '#sys/testing.ts';
import { directory, file, link, symlink } from '../testing.ts';
import { isWhiteout, opaqueXattr } from './confined.ts';
import { LayerWriter } from './layer-writer.ts';

onLinuxAsRoot('unpacking layers', () => {
  const files = linuxFiles();
  let place: string;
  let root: string;
  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), 'layer-'));
    root = join(place, 'root');
    mkdirSync(root);
    mkdirSync(join(place, 'outside'));
    writeFileSync(join(place, 'outside/secret'), 'secret');
  });
  afterEach(() => rmSync(place, { recursive: true, force: true }));

  function unpack(members: readonly TarSource[]): void {
    const writer = new LayerWriter(root, files);
    try {
      for (const { entry, body } of members) {
        writer.begin(entry);
        if (body instanceof Uint8Array) writer.data(body);
        writer.end();
      }
      writer.finish();
    } finally {
      writer.close();
    }
  }
  const text = (path: string): string => readFileSync(join(root, path), 'utf8');
  const stat = (path: string) => lstatSync(join(root, path));

  describe('nothing lands outside of the root', () => {
    const cases: [string, () => TarSource[], refused: boolean][] = [
      ['a name with ..', () => [file('../outside/evil')], true],
      ['a name with .. further in', () => [file('a/../../outside/evil')], true],
      ['an absolute name', () => [file(join(place, 'outside/evil'))], false],
      ['a parent that is an absolute link', () => [symlink('a', join(place, 'outside')), file('a/evil')], true],
      ['a parent that is a link with ..', () => [symlink('a', '../outside'), file('a/evil')], true],
      ['a chain of links', () => [symlink('a', '.'), symlink('b', 'a/..'), symlink('c', 'b/outside'), file('c/evil')], true],
      ['a link through /proc', () => [symlink('a', `/proc/self/cwd/../../${place}/outside`), file('a/evil')], true],
      ['a file that is a link', () => [symlink('evil', '../outside/secret'), file('evil', 'overwritten')], false],
      ['a hard link to outside', () => [link('evil', '../outside/secret')], true],
      ['a hard link by an absolute name', () => [link('evil', join(place, 'outside/secret'))], true],
      ['a hard link by way of a link', () => [symlink('a', '../outside'), link('evil', 'a/secret')], true],
      ['a hard link to a link, then written', () => [symlink('a', '../outside/secret'), link('evil', 'a'), file('evil', 'overwritten')], false],
      ['a directory swapped for a link', () => [directory('a'), file('a/x'), symlink('a', '../outside'), file('a/evil')], true],
      ['a directory above swapped for a link', () => [directory('a/b'), file('a/b/x'), symlink('a', '..'), file('a/outside/evil')], false],
      ['a directory over a link', () => [symlink('a', '../outside'), directory('a', { mode: 0o777 }), file('a/evil')], false],
      ['a whiteout of ..', () => [file('.wh...')], true],
      ['a whiteout by way of a link', () => [symlink('a', '../outside'), file('a/.wh.secret')], true],
      ['an opaque mark by way of a link', () => [symlink('a', '../outside'), file('a/.wh..wh..opq')], true],
      ['a device by way of a link', () => [symlink('a', '../outside'), { entry: tarEntry('a/evil', 'char', { devMajor: 1, devMinor: 3 }) }], true],
      ['times of a directory that became a link', () => [directory('a', { mtime: 5n }), symlink('a', '../outside')], false],
    ];
    for (const [name, members, refused] of cases) {
      it(name, () => {
        const before = lstatSync(join(place, 'outside'), { bigint: true });
        if (refused) assert.throws(() => unpack(members()), (e) => isFault(e, 'invalid'));
        else unpack(members());
        assert.deepEqual(readdirSync(place), ['outside', 'root']);
        assert.deepEqual(readdirSync(join(place, 'outside')), ['secret']);
        assert.equal(readFileSync(join(place, 'outside/secret'), 'utf8'), 'secret');
        assert.equal(lstatSync(join(place, 'outside/secret')).nlink, 1);
        const after = lstatSync(join(place, 'outside'), { bigint: true });
        assert.deepEqual([after.mtimeNs, after.mode], [before.mtimeNs, before.mode]);
        assert.deepEqual(files.listXattrs(join(place, 'outside')).filter((n) => n.startsWith('trusted.')), []);
      });
    }
  });

  it('links inside of the layer are followed inside of it', () => {
    unpack([directory('usr/lib'), symlink('lib', '/usr/lib'), file('lib/x', 'through')]);
    assert.equal(text('usr/lib/x'), 'through');
    assert.equal(readlinkSync(join(root, 'lib')), '/usr/lib');
  });

  it('owners, modes, times, attributes and hard links are kept', () => {
    const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
    const time = 1_600_000_000_123_456_789n;
    unpack([
      directory('d', { mode: 0o1777, mtime: time, uid: 5 }),
      file('d/su', 'x', { mode: 0o6755, uid: 1000, gid: 1001, mtime: time }),
      file('d/ping', 'x', { xattrs: new Map([['security.capability', capability], ['trusted.overlay.redirect', Buffer.from('/etc')], ['user.note', Buffer.from('n')]]) }),
      link('d/su2', 'd/su'),
      { entry: tarEntry('null', 'char', { devMajor: 1, devMinor: 3, mode: 0o666 }) },
      { entry: tarEntry('pipe', 'fifo', { mode: 0o600 }) },
      { entry: tarEntry('ln', 'symlink', { linkName: 'nowhere', uid: 7, mtime: time }) },
    ]);
    assert.equal(stat('d').mode & 0o7777, 0o1777);
    assert.deepEqual([stat('d').uid, stat('ln').uid, stat('d/su').uid, stat('d/su').gid], [5, 7, 1000, 1001]);
    assert.equal(stat('d/su').mode & 0o7777, 0o6755);
    for (const path of ['d', 'd/su', 'ln']) assert.equal(lstatSync(join(root, path), { bigint: true }).mtimeNs, time, path);
    assert.equal(stat('d/su').ino, stat('d/su2').ino);
    assert.deepEqual(files.getXattr(join(root, 'd/ping'), 'security.capability'), capability);
    assert.equal(files.getXattr(join(root, 'd/ping'), 'user.note')?.toString(), 'n');
    assert.equal(files.getXattr(join(root, 'd/ping'), 'trusted.overlay.redirect'), undefined, 'overlayfs\' own attributes are not an archive\'s to set');
    assert.equal(stat('null').rdev, 0x103);
    assert.ok(stat('pipe').isFIFO());
  });

  it('whiteouts take overlayfs\' form, and yield to what the layer itself brings', () => {
    unpack([
      file('.wh.gone'),
      file('deep/in/.wh.there'),
      directory('o'), file('o/new'), file('o/.wh..wh..opq'),
      file('.wh.back'), directory('back'), file('back/x'),
      directory('later'), file('later/x'), file('.wh.later'),
      file('plain', 'kept'), file('.wh.plain'),
      file('.wh..wh.plnk/1'.replace('/1', '')),
    ]);
    assert.ok(isWhiteout(stat('gone')) && isWhiteout(stat('deep/in/there')));
    for (const path of ['o', 'back', 'later']) assert.equal(files.getXattr(join(root, path), opaqueXattr)?.toString(), 'y', path);
    assert.equal(text('plain'), 'kept');
    assert.deepEqual(readdirSync(root).sort(), ['back', 'deep', 'gone', 'later', 'o', 'plain']);
  });

  it('a later entry replaces an earlier one of its name', () => {
    unpack([file('a', '1'), file('a', '2'), directory('d'), file('d/x'), file('d', 'file now'), symlink('l', 'x'), directory('l'), file('l/y')]);
    assert.equal(text('a'), '2');
    assert.equal(text('d'), 'file now');
    assert.ok(existsSync(join(root, 'l/y')) && stat('l').isDirectory());
  });

  it('the root\'s own entry sets its mode; what cannot be is refused by name', () => {
    unpack([{ entry: tarEntry('./', 'directory', { mode: 0o700 }) }, file('./x')]);
    assert.equal(stat('.').mode & 0o7777, 0o700);
    const cases: [TarSource[], RegExp][] = [
      [[file('f'), file('f/below')], /"f" is not a directory/],
      [[link('l', 'missing')], /hard link to "missing"/],
      [[file('x'.repeat(300))], /ENAMETOOLONG/],
      [[file('./')], /its root is a file/],
      [[symlink('loop', 'loop'), file('loop/x')], /"loop"/],
    ];
    for (const [members, message] of cases) assert.throws(() => unpack(members), (e) => isFault(e, 'invalid') && message.test(e.message));
  });
});
