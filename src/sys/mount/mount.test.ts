import { isFault } from '#lib/errors.ts';
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { onLinuxAsRoot } from '../testing.ts';
import { fakeMounts } from './fake.ts';
import { flagsOf, MS, parseOptions } from './flags.ts';
import { linuxMounts } from './linux.ts';
import { mountsSuite } from './suite.ts';
import { parseMountInfo } from './table.ts';

mountsSuite('fake', () => fakeMounts());
onLinuxAsRoot('mounts', () => mountsSuite('linux', linuxMounts));

describe('mount options', () => {
  it('tells flags from propagation and data', () => {
    const parsed = parseOptions(['rbind', 'ro', 'rprivate', 'lowerdir=/a:/b', 'x=1']);
    assert.equal(parsed.flags, MS.BIND | MS.REC | MS.RDONLY);
    assert.deepEqual(parsed.propagation, [MS.PRIVATE | MS.REC]);
    assert.equal(parsed.data, 'lowerdir=/a:/b,x=1');
  });

  it('lets a later word win', () => {
    assert.equal(flagsOf(['ro', 'noexec', 'rw']), MS.NOEXEC);
  });
});

describe('the mount table', () => {
  it('reads names with spaces, and read-only wherever either side is', () => {
    const text = '36 35 98:0 /root /mnt/a\\040b ro,noatime master:1 shared:2 - ext4 /dev/sda\\011x rw,errors=continue\n';
    const [entry] = parseMountInfo(text);
    assert.deepEqual(entry, {
      id: 36,
      source: '/dev/sda\tx',
      target: '/mnt/a b',
      type: 'ext4',
      root: '/root',
      options: ['ro', 'noatime', 'errors=continue'],
      own: ['ro', 'noatime'],
    });
  });
});

onLinuxAsRoot('overlay mounts', () => {
  it('puts layers together', () => {
    const mounts = linuxMounts();
    const top = mkdtempSync(join(tmpdir(), 'gantry-overlay-'));
    try {
      for (const name of ['lower', 'upper', 'work', 'merged']) mkdirSync(join(top, name));
      writeFileSync(join(top, 'lower/file'), 'from below');
      const layers = `lowerdir=${top}/lower,upperdir=${top}/upper,workdir=${top}/work`;
      mounts.mount('overlay', join(top, 'merged'), 'overlay', layers.split(','));
      writeFileSync(join(top, 'merged/new'), 'above');
      assert.equal(readFileSync(join(top, 'merged/file'), 'utf8'), 'from below');
      assert.equal(readFileSync(join(top, 'upper/new'), 'utf8'), 'above');
    } finally {
      mounts.unmountTree(top);
      rmSync(top, { recursive: true });
    }
  });

  it('takes more layers than a page of options names', () => {
    const mounts = linuxMounts();
    const top = mkdtempSync(join(tmpdir(), 'gantry-overlay-'));
    try {
      const layers = Array.from({ length: 125 }, (_, i) => join(top, `${'long-name,'.repeat(5)}:${i}`));
      for (const [i, layer] of layers.entries()) {
        mkdirSync(layer);
        writeFileSync(join(layer, 'which'), String(i));
        writeFileSync(join(layer, `only-${i}`), '');
      }
      for (const name of ['upper', 'work', 'merged']) mkdirSync(join(top, name));
      const lower = layers.map((layer) => layer.replaceAll(/[,:]/g, '\\$&')).join(':');
      assert.ok(lower.length > 8000);
      mounts.mount('overlay', join(top, 'merged'), 'overlay', [`lowerdir=${lower}`, `upperdir=${top}/upper`, `workdir=${top}/work`, 'nosuid']);
      assert.equal(readFileSync(join(top, 'merged/which'), 'utf8'), '0');
      assert.equal(readFileSync(join(top, 'merged/only-124'), 'utf8'), '');
    } finally {
      mounts.unmountTree(top);
      rmSync(top, { recursive: true });
    }
  });

  it('says why it could not mount on another thread', async () => {
    await assert.rejects(linuxMounts().mountAside('tmpfs', '/no/such/place', 'tmpfs'), (error) => isFault(error, 'not-found') && error.message.includes('/no/such/place'));
  });

  it('refuses options that the kernel would cut, and links as targets of unmount', () => {
    const mounts = linuxMounts();
    const top = mkdtempSync(join(tmpdir(), 'gantry-overlay-'));
    try {
      assert.throws(
        () => mounts.mount('tmpfs', top, 'tmpfs', [`x=${'x'.repeat(5000)}`]),
        (error) => isFault(error, 'too-large'),
      );
      mkdirSync(join(top, 'real'));
      mounts.mount('tmpfs', join(top, 'real'), 'tmpfs');
      symlinkSync('real', join(top, 'link'));
      assert.throws(() => mounts.unmount(join(top, 'link')), (error) => isFault(error, 'invalid'));
      assert.throws(() => mounts.mount('tmpfs', join(top, 'none'), 'tmpfs'), (error) => isFault(error, 'not-found'));
    } finally {
      mounts.unmountTree(top);
      rmSync(top, { recursive: true });
    }
  });
});
