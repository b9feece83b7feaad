import { isFault } from '#lib/errors.ts';
import assert from 'node:assert/strict';
import { closeSync, constants, lstatSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { onLinuxAsRoot } from '../testing.ts';
import { fakeFiles } from './fake.ts';
import { deviceNumber, majorOf, minorOf } from '#lib/device-number.ts';
import { linuxFiles } from './linux.ts';
import { filesSuite } from './suite.ts';

filesSuite('fake', fakeFiles);
if (process.platform === 'linux') filesSuite('linux', linuxFiles);

describe('device numbers', () => {
  it('keep large majors and minors apart', () => {
    assert.equal(deviceNumber(1, 3), 0x103n);
    assert.equal(deviceNumber(259, 300), 0x11032cn);
    for (const [major, minor] of [[1, 3], [259, 300], [300, 70_000], [2 ** 32 - 1, 2 ** 32 - 1]] as const) assert.deepEqual([majorOf(deviceNumber(major, minor)), minorOf(deviceNumber(major, minor))], [major, minor]);
  });
});

onLinuxAsRoot('files on this kernel', () => {
  describe('files on linux', () => {
    const files = linuxFiles();
    const inside = (body: (top: string) => void): void => {
      const top = mkdtempSync(join(tmpdir(), 'gantry-fs-'));
      try {
        body(top);
      } finally {
        rmSync(top, { recursive: true });
      }
    };

    it('makes device nodes and pipes', () =>
      inside((top) => {
        files.makeNode(join(top, 'null'), constants.S_IFCHR | 0o666, 1, 3);
        files.makeNode(join(top, 'big'), constants.S_IFCHR | 0o600, 300, 70_000);
        files.makeNode(join(top, 'pipe'), constants.S_IFIFO | 0o600);
        assert.equal(lstatSync(join(top, 'null')).rdev, 0x103);
        assert.ok(lstatSync(join(top, 'null')).isCharacterDevice());
        assert.equal(BigInt(lstatSync(join(top, 'big')).rdev), deviceNumber(300, 70_000));
        assert.ok(lstatSync(join(top, 'pipe')).isFIFO());
        assert.throws(() => files.makeNode(join(top, 'pipe'), constants.S_IFIFO), (error) => isFault(error, 'already-exists'));
      }));

    it('gives overlay attributes to links as well, and keeps times before 1970', () =>
      inside((top) => {
        const link = join(top, 'link');
        symlinkSync('nowhere', link);
        files.setXattr(link, 'trusted.overlay.opaque', Buffer.from('y'));
        assert.equal(files.getXattr(link, 'trusted.overlay.opaque')?.toString(), 'y');
        files.setTimes(link, -1n, -1_500_000_000n);
        assert.equal(lstatSync(link, { bigint: true }).mtimeNs, -1_500_000_000n);
      }));

    it('does not go through the magic links of /proc, and closes descriptors on exec', () => {
      const root = openSync('/', constants.O_RDONLY | constants.O_DIRECTORY);
      try {
        assert.throws(() => files.openInRoot(root, `proc/self/fd/${root}/etc`, constants.O_RDONLY), (error) => isFault(error, 'invalid'));
        const fd = files.openInRoot(root, 'etc', 0o10000000);
        assert.match(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'), /flags:\s+0?[0-9]*1[0-7]{7}\b|flags:\s+02[0-7]*/);
        files.close(fd);
      } finally {
        closeSync(root);
      }
    });
  });
});
