import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createReadStream, createWriteStream, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { after, before, describe, it } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { ImageConfig } from '#api/oci/image.ts';
import { systemClock } from '#lib/clock.ts';
import { isFault } from '#lib/errors.ts';
import { silentLogger } from '#lib/log.ts';
import { systemRandom } from '#lib/random.ts';
import type { TarSource } from '#lib/tar/write.ts';
import { directory, file, putLayer, sha256, symlink, tarOf, testPlace } from '#core/snapshots/testing.ts';
import type { TestPlace } from '#core/snapshots/testing.ts';
import { onLinuxAsRoot } from '#sys/testing.ts';
import { openImages } from '../open.ts';
import { skopeoMissing } from '#test/support/registry.ts';
import type { Image, Images } from '../types.ts';
import { importImage } from './import.ts';

onLinuxAsRoot('image archives', () => {
  describe('image archives', () => {
    let here: TestPlace;
    let there: TestPlace;
    let images: Images;
    let others: Images;
    const imagesOf = (place: TestPlace): Promise<Images> =>
      openImages({ content: place.content, snapshots: place.snapshots, records: place.records, clock: systemClock, random: systemRandom, log: silentLogger });
    before(async () => {
      [here, there] = await Promise.all([testPlace('here'), testPlace('there')]);
      [images, others] = await Promise.all([imagesOf(here), imagesOf(there)]);
    });
    after(async () => {
      await Promise.all([here.end(), there.end()]);
    });
    const make = async (text: string, ...names: string[]): Promise<Image> => {
      const base = await putLayer(here.content, [directory('etc'), file('etc/base', 'shared')]);
      const top = await putLayer(here.content, [file('etc/top', text)]);
      const config: ImageConfig = { architecture: 'amd64', os: 'linux', config: { Cmd: ['/x'] }, rootfs: { type: 'layers', diff_ids: [base.diffId, top.diffId] } };
      return images.assemble(config, [base.descriptor, top.descriptor], names);
    };
    const saved = async (...references: string[]): Promise<Buffer> => Buffer.concat((await (await images.save(references)).toArray()) as Buffer[]);
    const load = (data: Buffer) => others.load(Readable.from([data]));

    it('what is saved loads elsewhere, with its names; plain, gzip and zstd', async () => {
      const one = await make('one', 'multi:1', 'multi:2', 'other:1');
      const two = await make('two', 'two:1');
      const archive = await saved('multi', 'two:1');
      for (const data of [archive, gzipSync(archive), zstdCompressSync(archive)]) {
        const loaded = await load(data);
        assert.deepEqual(loaded.map(({ image, names }) => [image.id, [...names].sort()]), [
          [one.id, ['docker.io/library/multi:1', 'docker.io/library/multi:2']],
          [two.id, ['docker.io/library/two:1']],
        ]);
        assert.equal(others.get('multi:1')?.id, one.id);
        assert.equal(others.get('other:1'), undefined);
        await there.snapshots.view(loaded[1]!.image.chain, async (root) => assert.equal(readFileSync(join(root, 'etc/top'), 'utf8'), 'two'));
        for (const { image } of loaded) await others.remove(image.id);
      }
      assert.deepEqual(await Array.fromAsync(there.content.list()), [], 'nothing of it is left');
      const byId = await load(await saved(one.id));
      assert.deepEqual(byId.map(({ names }) => names), [[]]);
      await others.remove(one.id);
      await assert.rejects(images.save(['absent']), (e) => isFault(e, 'not-found') && e.message === 'No such image: absent');
    });

    it('Docker\'s older archives load: plain layers, a layer that is a link to another', async () => {
      const tar = await tarOf([file('data', 'x')]);
      const diffId = sha256(tar);
      const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [diffId, diffId] } }));
      const id = sha256(config);
      const body = (name: string, data: Buffer): TarSource => ({ entry: { ...file(name, '').entry, size: data.length }, body: data });
      const archive = await tarOf([
        body('aaa/layer.tar', tar), file('aaa/VERSION', '1.0'), file('aaa/json', '{}'),
        symlink('bbb/layer.tar', '../aaa/layer.tar'),
        body(`${id.slice(7)}.json`, config),
        file('manifest.json', JSON.stringify([{ Config: `${id.slice(7)}.json`, RepoTags: ['old/app:1'], Layers: ['aaa/layer.tar', 'bbb/layer.tar'] }])),
      ]);
      const [loaded] = await load(archive);
      assert.equal(loaded!.image.id, id);
      assert.equal(others.get('old/app:1')?.id, id);
      assert.equal(loaded!.image.layers.length, 2);
      await others.remove(id);
    });

    it('damaged and foreign archives are refused and leave nothing', async () => {
      const image = await make('bad', 'bad:1');
      const archive = await saved('bad:1');
      const at = archive.indexOf(`blobs/sha256/${image.layers[1]!.digest.slice(7)}`);
      const damaged = Buffer.from(archive);
      damaged[at + 512 + 20]! ^= 0xff;
      const cases: [Buffer, RegExp][] = [
        [damaged, /damaged/],
        [await tarOf([file('etc/passwd')]), /neither manifest.json nor index.json/],
        [Buffer.from('no archive at all'.repeat(100)), /no tar archive/],
        [await tarOf([file('manifest.json', '[{"Config":"../../etc/passwd","RepoTags":null,"Layers":[]}]')]), /does not hold it/],
        [await tarOf([file('manifest.json', '{}')]), /not a list/],
      ];
      for (const [data, message] of cases) await assert.rejects(load(data), (e) => isFault(e, 'invalid') && message.test(e.message), String(message));
      assert.deepEqual(others.list(), []);
      assert.deepEqual(await Array.fromAsync(there.content.list()), []);
    });

    it('a file system is imported as an image of one layer', async () => {
      const tar = gzipSync(await tarOf([file('bin/app', 'run')]));
      const image = await importImage(others, Readable.from([tar]), { names: ['imported:1'], config: { Cmd: ['/bin/app'] }, message: 'hello', createdAt: 0, ref: 't' });
      assert.deepEqual([image.config.history, image.config.config], [[{ created: '1970-01-01T00:00:00.000Z', comment: 'hello' }], { Cmd: ['/bin/app'] }]);
      await there.snapshots.view(image.chain, async (root) => assert.equal(readFileSync(join(root, 'bin/app'), 'utf8'), 'run'));
      await others.remove(image.id);
    });

    it('skopeo reads our archives, and we read those that it makes', { skip: skopeoMissing() }, async () => {
      const image = await make('skopeo', 'cross:1');
      const ours = join(here.root, 'ours.tar');
      await pipeline(await images.save(['cross:1']), createWriteStream(ours));
      const skopeo = (...args: string[]): string => execFileSync('skopeo', args, { encoding: 'utf8', cwd: here.root });
      for (const transport of ['docker-archive', 'oci-archive']) {
        const config = JSON.parse(skopeo('inspect', '--config', `${transport}:${ours}`)) as ImageConfig;
        assert.deepEqual(config.rootfs, image.config.rootfs, transport);
      }
      writeFileSync(join(here.root, 'policy.json'), '{"default":[{"type":"insecureAcceptAnything"}]}');
      for (const target of ['docker-archive:docker.tar:cross/app:2', 'oci-archive:oci.tar:cross/app:2']) {
        skopeo('--policy', 'policy.json', 'copy', `oci-archive:${ours}`, target);
        const [loaded] = await others.load(createReadStream(join(here.root, target.split(':')[1]!)));
        assert.deepEqual(loaded!.image.config.rootfs, image.config.rootfs, target);
        assert.deepEqual(loaded!.names, ['docker.io/cross/app:2'], target);
        await others.remove(loaded!.image.id);
      }
    });
  });
});
