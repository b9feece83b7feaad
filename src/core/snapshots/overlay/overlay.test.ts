import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { setTimeout as sleep } from 'node:timers/promises';
import { isFault } from '#lib/errors.ts';
import { linuxFiles } from '#sys/fs/linux.ts';
import { linuxMounts } from '#sys/mount/linux.ts';
import { onLinuxAsRoot } from '#sys/testing.ts';
import { snapshotsSuite } from '../suite.ts';
import { directory, file, putLayer, sha256, tarOf, testPlace } from '../testing.ts';
import type { TestPlace } from '../testing.ts';
import type { ChainId } from '../types.ts';
import { overlayOptions } from './mount-options.ts';

onLinuxAsRoot('overlay snapshots', () => {
  snapshotsSuite('overlay snapshots', () => testPlace('overlay'));

  describe('the overlay driver', () => {
    let place: TestPlace;
    beforeEach(async () => {
      place = await testPlace('overlay');
    });
    afterEach(() => place.end());
    const unpack = async (parent: ChainId, members: Parameters<typeof putLayer>[1], compress?: (data: Buffer) => Buffer): Promise<ChainId> => {
      const layer = await putLayer(place.content, members, compress);
      return place.snapshots.unpack(parent, layer.descriptor, layer.diffId);
    };

    it('mounts outlive a restart; what a crash left half made does not', async () => {
      const { root } = place;
      const chain = await unpack('', [file('a')]);
      await place.snapshots.create('c', chain);
      await place.snapshots.create('lost', chain);
      const mounted = await place.snapshots.mount('c');
      writeFileSync(join(mounted, 'b'), 'mine');
      mkdirSync(join(root, 'snapshots/tmp/half/fs'), { recursive: true });
      mkdirSync(join(root, 'snapshots/layers/zz'));
      mkdirSync(join(root, 'snapshots/views/ffffffffffffffff'));
      const away = dirname(await place.snapshots.mount('lost'));
      await place.snapshots.unmount('lost');
      rmSync(away, { recursive: true });
      await place.reopen();
      assert.equal(place.snapshots.mountpoint('c'), mounted);
      assert.equal(await place.snapshots.mount('c'), mounted);
      assert.equal(linuxMounts().list().filter((entry) => entry.target === mounted).length, 1);
      assert.equal(readFileSync(join(mounted, 'b'), 'utf8'), 'mine');
      assert.deepEqual(place.snapshots.active().map(({ key }) => key), ['c']);
      assert.deepEqual(readdirSync(join(root, 'snapshots/tmp')), []);
      assert.equal(existsSync(join(root, 'snapshots/layers/zz')), false);
      await place.snapshots.create('new', chain);
      assert.match(await place.snapshots.mount('new'), /\/active\/[0-9a-z]\/merged$/, 'names stay short');
    });

    it('as many layers as an image may have are mounted, one more is refused', async () => {
      let chain: ChainId = '';
      const same = await putLayer(place.content, [file('same', 'below')]);
      for (let i = 0; i < 126; i++) chain = await place.snapshots.unpack(chain, same.descriptor, same.diffId);
      chain = await unpack(chain, [file('top')]);
      await place.snapshots.create('deep', chain);
      const root = await place.snapshots.mount('deep');
      assert.deepEqual(readdirSync(root).sort(), ['same', 'top']);
      await assert.rejects(unpack(chain, [file('more')]), (e) => isFault(e, 'too-large') && /max depth exceeded/.test(e.message));
      await assert.rejects(place.snapshots.commit('deep'), (e) => isFault(e, 'too-large'));
    });

    it('gzip, zstd and plain layers are told by their content; damaged ones leave nothing', async () => {
      const members = [file('x', 'x'.repeat(100_000))];
      const chains = [await unpack('', members, (data) => data), await unpack('', [...members, file('z')], (data) => zstdCompressSync(data))];
      for (const chain of chains) await place.snapshots.view(chain, async (view) => assert.equal(statSync(join(view, 'x')).size, 100_000));
      const tar = await tarOf([file('d', 'data')]);
      for (const [data, message] of [[gzipSync(tar).subarray(0, 60), /damaged gzip/], [tar.subarray(0, 514), /truncated/], [Buffer.from('BZh91AY&SY'), /bzip2/]] as const) {
        const digest = await place.content.put(data);
        await assert.rejects(place.snapshots.unpack('', { mediaType: '', digest, size: data.length }, sha256(tar)), (e) => isFault(e) && message.test(e.message));
      }
      assert.deepEqual(readdirSync(join(place.root, 'snapshots/tmp')), []);
      assert.equal(place.snapshots.layers().length, 2);
    });

    it('a full disk is told as that, and leaves nothing', async () => {
      const temporary = join(place.root, 'snapshots/tmp');
      linuxMounts().mount('tmpfs', temporary, 'tmpfs', ['size=1m']);
      const layer = await putLayer(place.content, [file('big', 'x'.repeat(3_000_000))]);
      await assert.rejects(place.snapshots.unpack('', layer.descriptor, layer.diffId), (e) => isFault(e, 'exhausted') && /no space left/.test(e.message));
      assert.deepEqual(readdirSync(temporary), []);
    });

    it('unpacking tells how far it is, and can be canceled', async () => {
      const layer = await putLayer(place.content, [{ entry: { ...file('big', '').entry, size: 12_000_000 }, body: Buffer.alloc(12_000_000, 'text') }], (data) => data);
      const stop = new AbortController();
      const canceled = place.snapshots.unpack('', layer.descriptor, layer.diffId, { signal: stop.signal, onProgress: () => stop.abort() });
      const other = place.snapshots.unpack('', layer.descriptor, layer.diffId);
      await assert.rejects(canceled, (e) => isFault(e, 'canceled'));
      await other;
      const seen: number[] = [];
      await place.snapshots.removeLayer(layer.diffId);
      await place.snapshots.unpack('', layer.descriptor, layer.diffId, { onProgress: (bytes) => void seen.push(bytes) });
      assert.ok(seen.length > 5 && seen.at(-1) === layer.descriptor.size, String(seen));
    });

    it('the top directory is like the one below it; setuid, capabilities and links survive a commit', async () => {
      const base = await unpack('', [{ entry: { ...directory('./').entry, mode: 0o750, uid: 3 } }, file('keep')]);
      await place.snapshots.create('c', base);
      const root = await place.snapshots.mount('c');
      assert.deepEqual([statSync(root).mode & 0o7777, statSync(root).uid], [0o750, 3]);
      execFileSync('sh', ['-c', 'echo x > su; chown 5:6 su; chmod 4711 su; ln su su2; mknod dev c 1 3; mkfifo pipe; touch -d @1600000000.5 su'], { cwd: root });
      const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
      writeFileSync(join(root, 'ping'), '');
      linuxFiles().setXattr(join(root, 'ping'), 'security.capability', capability);
      const { chain, descriptor, diffId } = await place.snapshots.commit('c');
      await place.snapshots.removeLayer(chain);
      await place.snapshots.unpack(base, descriptor, diffId);
      await place.snapshots.view(chain, async (view) => {
        const su = statSync(join(view, 'su'));
        assert.deepEqual([su.mode & 0o7777, su.uid, su.gid, su.nlink, su.mtimeMs], [0o4711, 5, 6, 2, 1_600_000_000_500]);
        assert.equal(statSync(join(view, 'dev')).rdev, 0x103);
        assert.deepEqual(linuxFiles().getXattr(join(view, 'ping'), 'security.capability'), capability);
        assert.equal(statSync(view).mode & 0o7777, 0o750);
      });
    });

    it('a snapshot in use is not unmounted under its user, but can be removed', async () => {
      await place.snapshots.create('busy', await unpack('', [file('a')]));
      const root = await place.snapshots.mount('busy');
      const here = process.cwd();
      process.chdir(root);
      try {
        await assert.rejects(place.snapshots.unmount('busy'), (e) => isFault(e, 'conflict') && /snapshot busy is in use/.test(e.message));
        assert.equal(place.snapshots.mountpoint('busy'), root);
        await place.snapshots.remove('busy');
      } finally {
        process.chdir(here);
      }
      // its files go after it
      for (let i = 0; i < 100 && linuxMounts().list().some((entry) => entry.target === root); i++) await sleep(20);
      assert.equal(linuxMounts().list().some((entry) => entry.target === root), false);
    });
  });

  it('mount options are readable while they fit, and go through a descriptor where they do not', () => {
    const places = { lowers: ['layers/2', 'layers/1'], upper: 'active/3/fs', work: 'active/3/work' };
    const plain = overlayOptions({ ...places, root: '/var/lib/x' }, () => assert.fail());
    assert.equal(plain[0], 'lowerdir=/var/lib/x/layers/2:/var/lib/x/layers/1');
    for (const root of ['/odd,name', '/odd:name', `/${'long/'.repeat(400)}`]) {
      const options = overlayOptions({ ...places, root }, () => '/proc/self/fd/9');
      assert.deepEqual(options.slice(0, 3), ['lowerdir=/proc/self/fd/9/layers/2:/proc/self/fd/9/layers/1', 'upperdir=/proc/self/fd/9/active/3/fs', 'workdir=/proc/self/fd/9/active/3/work']);
    }
  });
});
