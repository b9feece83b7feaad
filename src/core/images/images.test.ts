import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ImageConfig } from '#api/oci/image.ts';
import { systemClock } from '#lib/clock.ts';
import { isFault } from '#lib/errors.ts';
import { silentLogger } from '#lib/log.ts';
import { systemRandom } from '#lib/random.ts';
import type { Digest } from '#core/content/types.ts';
import { file, putLayer, testPlace } from '#core/snapshots/testing.ts';
import type { TestLayer, TestPlace } from '#core/snapshots/testing.ts';
import { onLinuxAsRoot } from '#sys/testing.ts';
import { unneededMs } from './collect.ts';
import { openImages } from './open.ts';
import type { Image, Images } from './types.ts';

onLinuxAsRoot('images', () => {
  describe('images', () => {
    let place: TestPlace;
    let images: Images;
    const open = async (): Promise<void> => {
      images = await openImages({ content: place.content, snapshots: place.snapshots, records: place.records, clock: systemClock, random: systemRandom, log: silentLogger });
    };
    before(async () => {
      place = await testPlace('images');
      await open();
    });
    after(() => place.end());

    const make = async (layers: TestLayer[], names: string[], config: Partial<ImageConfig> = {}): Promise<Image> =>
      images.assemble({ architecture: 'amd64', os: 'linux', created: '2026-01-01T00:00:00Z', ...config, rootfs: { type: 'layers', diff_ids: layers.map((l) => l.diffId) } }, layers.map((l) => l.descriptor), names);

    it('an image is found by each form of its name, by its id and by a prefix of it', async () => {
      const image = await make([await putLayer(place.content, [file('a')])], ['bb']);
      assert.deepEqual(image.names, ['docker.io/library/bb:latest']);
      assert.equal(image.size, 1);
      const hex = image.id.slice(7);
      for (const form of ['bb', 'bb:latest', 'library/bb', 'docker.io/bb', 'docker.io/library/bb:latest', image.id, hex, hex.slice(0, 12), `sha256:${hex.slice(0, 8)}`]) {
        assert.equal(images.get(form)?.id, image.id, form);
      }
      for (const form of ['bb:1', 'BB', 'localhost/bb', '', 'zz', 'sha256:', 'b b']) assert.equal(images.get(form), undefined, form);
      await images.remove(image.id);
    });

    it('a name moves to the image that was tagged last, and all is found again after a restart', async () => {
      const first = await make([await putLayer(place.content, [file('1')])], ['app:1', 'app:old']);
      const second = await make([await putLayer(place.content, [file('2')])], ['app:1']);
      assert.equal(images.get('app:1')?.id, second.id);
      assert.deepEqual(images.get(first.id)?.names, ['docker.io/library/app:old']);
      await images.tag(second.id, 'localhost:5000/team/app');
      await images.untag('app:old');
      await assert.rejects(images.untag('app:old'), (e) => isFault(e, 'not-found'));
      await place.reopen();
      await open();
      assert.deepEqual(images.get(second.id)?.names, ['docker.io/library/app:1', 'localhost:5000/team/app:latest']);
      assert.deepEqual(images.get(first.id)?.names, []);
      assert.equal(images.get(second.id)?.size, 1);
      for (const id of [first.id, second.id]) await images.remove(id);
    });

    it('removal takes what nothing else needs: not a shared layer, not one that a container stands on', async () => {
      const base = await putLayer(place.content, [file('base')]);
      const top = await putLayer(place.content, [file('top')]);
      const one = await make([base], ['one']);
      const two = await make([base, top], ['two']);
      await place.snapshots.create('container', two.chain);
      assert.deepEqual(await images.remove(one.id), []);
      assert.equal(await place.content.stat(one.id), undefined, 'its config is gone');
      assert.ok(await place.content.stat(base.descriptor.digest));
      assert.deepEqual(await images.remove(two.id), [], 'the container stands on its layers');
      await place.snapshots.remove('container');
      const three = await make([await putLayer(place.content, [file('three')])], []);
      const removed = await images.remove(three.id);
      assert.deepEqual(new Set(removed), new Set([three.chain, two.chain, one.chain]), 'what was in use before goes with the next removal');
      assert.deepEqual(await Array.fromAsync(place.content.list()), []);
      assert.deepEqual(place.snapshots.layers(), []);
      await assert.rejects(images.remove(three.id), (e) => isFault(e, 'not-found'));
    });

    it('layers that may not have reached the disk, and those that are lost, are unpacked again at the next start', async () => {
      const image = await make([await putLayer(place.content, [file('below')]), await putLayer(place.content, [file('above', 'text')])], ['heal']);
      await place.snapshots.create('on-it', image.chain);
      const directory = join(place.root, 'snapshots/layers');
      // Stands for what a power failure does to files.
      for (const name of readdirSync(directory)) writeFileSync(join(directory, name, 'damage'), '');
      const isDamaged = (): Promise<boolean> => place.snapshots.view(image.chain, async (root) => existsSync(join(root, 'damage')));
      await place.reopen();
      await open();
      assert.equal(await isDamaged(), true, 'the same boot keeps them');
      await place.reopen({ bootId: 'another' });
      assert.equal(place.snapshots.has(image.chain), false);
      await open();
      assert.equal(await isDamaged(), false);
      rmSync(directory, { recursive: true });
      await place.reopen({ bootId: 'another' });
      await open();
      assert.equal(readFileSync(join(await place.snapshots.mount('on-it'), 'above'), 'utf8'), 'text');
      assert.equal(images.get('heal')?.size, 9);
      await place.snapshots.remove('on-it');
      await images.remove(image.id);
    });

    it('a blob that nothing needs goes at a start a day later; one of a layer, or that others keep, stays', async () => {
      const layer = await putLayer(place.content, [file('cached')]);
      const chain = await place.snapshots.unpack('', layer.descriptor, layer.diffId);
      const [left, kept] = await Promise.all([place.content.put(Buffer.from('left')), place.content.put(Buffer.from('kept'))]);
      const start = async (afterMs: number): Promise<void> => {
        const clock = { ...systemClock, now: () => Date.now() + afterMs } as typeof systemClock;
        await openImages({ content: place.content, snapshots: place.snapshots, records: place.records, clock, random: systemRandom, log: silentLogger, alsoNeeded: () => [kept] });
      };
      await start(unneededMs / 2);
      assert.ok(await place.content.stat(left));
      await start(unneededMs + 60_000);
      assert.equal(await place.content.stat(left), undefined);
      assert.ok((await place.content.stat(kept)) && (await place.content.stat(layer.descriptor.digest)));
      await place.snapshots.removeLayer(chain);
    });

    it('an image whose documents do not fit together is refused', async () => {
      const layer = await putLayer(place.content, [file('x')]);
      const config: ImageConfig = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [layer.diffId, layer.diffId] } };
      await assert.rejects(images.assemble(config, [layer.descriptor], []), (e) => isFault(e, 'invalid'));
      const wrong: Digest = `sha256:${'0'.repeat(64)}`;
      await assert.rejects(images.assemble({ ...config, rootfs: { type: 'layers', diff_ids: [wrong] } }, [layer.descriptor], []), (e) => isFault(e, 'invalid'));
      await assert.rejects(images.add({ mediaType: '', digest: wrong, size: 1 }, []), (e) => isFault(e, 'not-found'));
      assert.deepEqual(images.list(), []);
    });
  });
});
