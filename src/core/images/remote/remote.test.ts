import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '#lib/clock.ts';
import { isFault } from '#lib/errors.ts';
import { silentLogger } from '#lib/log.ts';
import { systemRandom } from '#lib/random.ts';
import { file, putLayer, testPlace } from '#core/snapshots/testing.ts';
import type { TestPlace } from '#core/snapshots/testing.ts';
import { onLinuxAsRoot } from '#sys/testing.ts';
import { openImages } from '../open.ts';
import { freePort, registryMissing, skopeoMissing, startRegistry } from '#test/support/registry.ts';
import type { TestRegistry } from '#test/support/registry.ts';
import type { Image, Images, PullProgress } from '../types.ts';

onLinuxAsRoot('a real registry', () => {
  describe('a real registry', { skip: registryMissing() }, () => {
    let registry: TestRegistry;
    let here: TestPlace;
    let there: TestPlace;
    let images: Images;
    let others: Images;
    const imagesOf = (place: TestPlace): Promise<Images> =>
      openImages({ content: place.content, snapshots: place.snapshots, records: place.records, clock: systemClock, random: systemRandom, log: silentLogger });
    before(async () => {
      [registry, here, there] = await Promise.all([startRegistry(), testPlace('here'), testPlace('there')]);
      [images, others] = await Promise.all([imagesOf(here), imagesOf(there)]);
    });
    after(async () => {
      await Promise.all([registry.end(), here.end(), there.end()]);
    });

    const make = async (...names: string[]): Promise<Image> => {
      const busybox = readFileSync('/bin/busybox');
      const base = await putLayer(here.content, [{ ...file('bin/busybox', ''), entry: { ...file('bin/busybox', '').entry, mode: 0o755, size: busybox.length }, body: busybox }]);
      const top = await putLayer(here.content, [file('hello', names[0])]);
      return images.assemble({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [base.diffId, top.diffId] } }, [base.descriptor, top.descriptor], names);
    };
    const statuses = (): { seen: string[]; onProgress: PullProgress } => {
      const seen: string[] = [];
      return { seen, onProgress: (event) => void seen.push(event.status) };
    };

    it('what is pushed is pulled elsewhere: the same id, the same tree', async () => {
      const name = `${registry.host}/team/bb:1`;
      const image = await make(name);
      const push = statuses();
      const pushed = await images.push(name, push);
      assert.equal(pushed.digest, image.manifest.digest);
      assert.deepEqual(push.seen.filter((s) => s === 'Pushed').length, 2);
      assert.deepEqual(images.get(name)?.digests, [`${registry.host}/team/bb@${pushed.digest}`]);

      const pull = statuses();
      const pulled = await others.pull(name, pull);
      assert.equal(pulled.updated, true);
      assert.equal(pulled.image.id, image.id);
      assert.equal(others.get(`${registry.host}/team/bb@${pushed.digest}`)?.id, image.id);
      const order = ['Pulling fs layer', 'Download complete', 'Extracting', 'Pull complete'];
      assert.deepEqual(order, [...order].sort((a, b) => pull.seen.indexOf(a) - pull.seen.indexOf(b)));
      assert.ok(order.every((status) => pull.seen.includes(status)), pull.seen.join('\n'));
      await there.snapshots.view(pulled.image.chain, async (root) => assert.equal(readFileSync(join(root, 'hello'), 'utf8'), name));

      const again = statuses();
      assert.equal((await others.pull(name, again)).updated, false);
      assert.equal(again.seen.filter((s) => s === 'Already exists').length, 2);
      assert.equal((await others.pull(`${registry.host}/team/bb@${pushed.digest}`)).image.id, image.id);
      const resolved = await others.resolveRemote(name);
      assert.equal(resolved.descriptor.digest, pushed.digest);
      assert.deepEqual(resolved.platforms, [{ os: 'linux', architecture: 'amd64' }]);
    });

    it('a second push finds its layers, and one to another repository mounts them', async () => {
      const first = `${registry.host}/from/app:1`;
      const image = await make(first);
      await images.push(first);
      const again = statuses();
      await images.push(first, again);
      assert.equal(again.seen.filter((s) => s === 'Layer already exists').length, 2);
      await images.tag(image.id, `${registry.host}/to/app:2`);
      const mounted = statuses();
      await images.push(`${registry.host}/to/app:2`, mounted);
      assert.equal(mounted.seen.filter((s) => s.startsWith('Mounted from ')).length, 2, mounted.seen.join('\n'));
    });

    it('errors have Docker\'s words', async () => {
      await make(`${registry.host}/known:1`);
      await images.push(`${registry.host}/known:1`);
      await assert.rejects(images.pull(`${registry.host}/known:none`), (e) => isFault(e, 'not-found') && e.message.startsWith(`manifest for ${registry.host}/known:none not found: manifest unknown: `));
      await assert.rejects(images.push(`${registry.host}/absent`), (e) => isFault(e, 'not-found') && e.message === `An image does not exist locally with the tag: ${registry.host}/absent`);
      const dead = `127.0.0.1:${await freePort()}`;
      await assert.rejects(images.pull(`${dead}/nope`), (e) => isFault(e, 'unavailable') && /^Get "http:\/\/127.0.0.1:[0-9]+\/v2\/nope\/manifests\/latest": .*ECONNREFUSED/.test(e.message));
    });

    it('skopeo reads what was pushed, and what skopeo pushes is pulled', { skip: skopeoMissing() }, async () => {
      const name = `${registry.host}/cross/bb:1`;
      const image = await make(name);
      await images.push(name);
      const skopeo = (...args: string[]): string => execFileSync('skopeo', args, { encoding: 'utf8' });
      const raw = JSON.parse(skopeo('inspect', '--raw', '--tls-verify=false', `docker://${name}`)) as { config: { digest: string } };
      assert.equal(raw.config.digest, image.id);
      for (const format of ['v2s2', 'oci']) {
        const copy = `${registry.host}/cross/copy-${format}:1`;
        skopeo('copy', '--format', format, '--dest-compress-format', 'gzip', '--src-tls-verify=false', '--dest-tls-verify=false', `docker://${name}`, `docker://${copy}`);
        const pulled = await others.pull(copy);
        assert.deepEqual(pulled.image.config.rootfs, image.config.rootfs);
      }
    });
  });
});
