import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { linuxKernel } from '#sys/linux.ts';
import { combineCapabilities, defaultCapabilities } from './capabilities.ts';
import { resolveUser } from './user.ts';

describe('users of an image', { skip: process.platform !== 'linux' && 'it needs Linux' }, () => {
  const { files } = linuxKernel();
  let root: string;
  before(() => {
    root = mkdtempSync(join(tmpdir(), 'gantry-user-'));
    mkdirSync(join(root, 'etc'));
    writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nbroken line\napp:x:1000:1001::/home/app:/bin/sh\n7:x:8:9::/seven:/bin/sh\n');
    writeFileSync(join(root, 'etc/group'), 'root:x:0:\napp:x:1001:\naudio:x:29:root,app\nvideo:x:44:app\n');
  });
  after(() => rmSync(root, { recursive: true }));

  it('finds names, ids, groups and homes', () => {
    assert.deepEqual(resolveUser(files, root, ''), { uid: 0, gid: 0, additionalGids: [29], home: '/root', name: 'root' });
    assert.deepEqual(resolveUser(files, root, 'app'), { uid: 1000, gid: 1001, additionalGids: [29, 44], home: '/home/app', name: 'app' });
    assert.deepEqual(resolveUser(files, root, '1000'), resolveUser(files, root, 'app'));
    assert.deepEqual(resolveUser(files, root, 'app:video'), { uid: 1000, gid: 44, additionalGids: [], home: '/home/app', name: 'app' });
    assert.deepEqual(resolveUser(files, root, '4242:77', ['audio', '5']), { uid: 4242, gid: 77, additionalGids: [29, 5], home: '/' });
    assert.equal(resolveUser(files, root, '7').uid, 8);
  });

  it('refuses who is not there, in Docker’s words', () => {
    assert.throws(() => resolveUser(files, root, 'nobody'), /unable to find user nobody: no matching entries in passwd file/);
    assert.throws(() => resolveUser(files, root, 'app:none'), /unable to find group none: no matching entries in group file/);
    assert.throws(() => resolveUser(files, root, '4294967296'), /must be in range/);
  });

  it('never reads outside the root', () => {
    const evil = mkdtempSync(join(root, 'evil-'));
    mkdirSync(join(evil, 'etc'));
    symlinkSync('../../../../../../../../../../../../etc/passwd', join(evil, 'etc/passwd'));
    assert.throws(() => resolveUser(files, evil, 'root'));
    const empty = mkdtempSync(join(root, 'empty-'));
    assert.deepEqual(resolveUser(files, empty, ''), { uid: 0, gid: 0, additionalGids: [], home: '/' });
  });
});

describe('capabilities', () => {
  it('are added to and dropped from Docker’s set', () => {
    assert.deepEqual(combineCapabilities([], []), defaultCapabilities);
    assert.deepEqual(combineCapabilities(['net_admin'], ['ALL']), ['CAP_NET_ADMIN']);
    assert.ok(!combineCapabilities(['ALL'], ['CAP_SYS_ADMIN']).includes('CAP_SYS_ADMIN'));
    assert.throws(() => combineCapabilities(['NET_ADMINN'], []), /unknown capability/);
  });
});
