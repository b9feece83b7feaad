import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { mediaTypes } from '#api/oci/image.ts';
import { type Clock, systemClock } from '#lib/clock.ts';
import { isFault } from '#lib/errors.ts';
import { onLinuxAsRoot } from '#sys/testing.ts';
import type { Image, PullResult } from '../types.ts';
import { testStore } from './testing.ts';
import type { TestStore } from './testing.ts';
import type { Peer } from './types.ts';

onLinuxAsRoot('peers', () => {
  describe('peers', () => {
    /** Two that have images, and one that copies them. */
    let one: TestStore;
    let two: TestStore;
    let here: TestStore;
    let peers: Peer[];
    /** Of each request to a registry, its host. */
    const registry: string[] = [];
    /** Added to the clock of the store that copies. */
    let later = 0;

    before(async () => {
      const refuse = { transport: (call: { url: URL }) => (registry.push(call.url.host), Promise.reject(new Error('no network'))) };
      const clock: Clock = {
        now: () => systemClock.now() + later,
        monotonic: () => systemClock.monotonic() + BigInt(later) * 1_000_000n,
        after: (ms, fn) => systemClock.after(ms, fn),
        sleep: async () => {},
      };
      [one, two, here] = await Promise.all([testStore('one'), testStore('two'), testStore('here', { peers: () => peers, registry: refuse, clock })]);
    });
    beforeEach(() => {
      registry.length = 0;
      later += 60_000;
      peers = [one.peer, two.peer];
    });
    afterEach(async () => {
      for (const store of [one, two, here]) {
        store.fault = () => false;
        store.requests.length = 0;
        for (const image of store.images.list()) await store.images.remove(image.id);
      }
    });
    after(async () => void (await Promise.all([one.end(), two.end(), here.end()])));

    const copy = async (name: string): Promise<PullResult> => here.images.copy(name, await here.images.offers(name));
    const textOf = (image: Image): Promise<string> => here.place.snapshots.view(image.chain, async (root) => readFileSync(join(root, 'text'), 'utf8'));
    const blobsAsked = (store: TestStore): string[] => store.requests.filter((request) => request.includes('/blobs/'));

    it('what only a peer has is copied by its name: the same id, no registry asked, each blob once', async () => {
      const built = await one.build('app:1', 'first');
      const offers = await here.images.offers('app:1');
      assert.deepEqual(offers.map(({ digest, isBuilt, holders }) => [digest, isBuilt, holders.map((p) => p.name)]), [[built.manifest.digest, true, ['one']]]);
      const both = await Promise.all([here.images.copy('app:1', offers), here.images.copy('app:1', offers)]);
      for (const { image } of both) assert.equal(image.id, built.id);
      assert.equal(await textOf(both[0].image), 'first');
      assert.deepEqual(here.images.get('app:1')?.digests, [], 'no registry knows it');
      assert.deepEqual(blobsAsked(one).length, new Set(blobsAsked(one)).size, blobsAsked(one).join('\n'));
      assert.deepEqual(await here.images.offers('app:1'), []);
      assert.deepEqual(await here.images.offers('nothing:1'), []);
      assert.deepEqual(registry, []);
    });

    it('the newest build counts, wherever it is; a copy is as old as what it was copied from', async () => {
      await one.build('app', 'old');
      await copy('app');
      later += 60_000; // a copy made later than the next build is older than it all the same
      assert.deepEqual(await here.images.offers('app'), []);
      const newer = await two.build('app', 'new');
      assert.equal((await copy('app')).image.id, newer.id);
      assert.equal(await textOf(here.images.get('app')!), 'new');
      await one.images.tag(one.images.list()[0]!.id, 'app:again');
      assert.deepEqual(await here.images.offers('app'), [], 'another name of the old build makes it no newer');
      await one.images.untag('app');
      await one.images.tag(one.images.get('app:again')!.id, 'app');
      assert.equal(await textOf((await copy('app')).image), 'old', 'tagged anew, the old build is the newest');
    });

    it('a build that came back is as new as its name', async () => {
      const first = await one.build('app', 'a');
      await copy('app');
      await one.build('app', 'b');
      await one.images.tag(first.id, 'app');
      assert.deepEqual(await here.images.offers('app'), [], 'it is here already');
      assert.equal(here.images.get('app')!.namedAt['docker.io/library/app:latest'], one.images.get('app')!.namedAt['docker.io/library/app:latest']);
    });

    it('a broken transfer goes on where it stopped, at another peer', async () => {
      const built = await one.build('app', 'x', 400_000);
      for (const blob of [built.id, built.manifest.digest, built.layers[0]!.digest]) await two.place.content.put(await one.place.content.read(blob));
      await two.images.add(built.manifest, ['app']);
      const layer = `/blobs/${built.layers[0]!.digest}`;
      const ranges: (string | undefined)[] = [];
      for (const store of [one, two]) store.fault = (request, response) => {
        if (!request.url!.includes(layer)) return false;
        ranges.push(request.headers.range);
        if (ranges.length > 1) return false;
        void store.place.content.read(built.layers[0]!.digest).then((data) => response.writeHead(200, { 'content-length': data.length }).write(data.subarray(0, 150_000), () => setImmediate(() => {
          response.destroy();
          store.fault = () => (response.destroy(), true);
        })));
        return true;
      };
      assert.equal((await copy('app')).image.id, built.id);
      assert.match(ranges[1]!, /^bytes=[1-9][0-9]*-$/);
    });

    it('a peer that lies is left for the next, and what it sent is not kept', async () => {
      const built = await one.build('app', 'true', 300_000);
      for (const blob of [built.id, built.manifest.digest, built.layers[0]!.digest]) await two.place.content.put(await one.place.content.read(blob));
      await two.images.add(built.manifest, ['app']);
      const size = built.layers[0]!.size;
      for (const lie of ['same size', 'first half', 'endless', 'redirect'] as const) {
        let lies = 0;
        one.fault = (request, response) => {
          if (!request.url!.includes(built.layers[0]!.digest)) return false;
          lies++;
          if (lie === 'redirect') response.writeHead(302, { location: two.peer.url.href }).end();
          else if (lie === 'first half') response.writeHead(200, { 'content-length': size }).write(Buffer.alloc(size / 2, 1), () => setImmediate(() => response.destroy()));
          else response.end(Buffer.alloc(lie === 'endless' ? size * 2 : size, 1));
          return true;
        };
        // The peer that lies is asked first.
        const [offer] = await here.images.offers('app');
        const holders = [...offer!.holders].sort((a) => (a.name === 'one' ? -1 : 1));
        const { image } = await here.images.copy('app', [{ ...offer!, holders }]);
        assert.equal(await textOf(image), 'true', lie);
        assert.ok(lies > 0, lie);
        await here.images.remove(image.id);
      }
      one.fault = (request, response) => {
        if (!request.url!.includes('/manifests/') || request.method === 'HEAD') return false;
        response.end('{"schemaVersion":2}');
        return true;
      };
      await two.images.untag('app');
      await assert.rejects(copy('app'), (e) => isFault(e, 'invalid') && /manifest verification failed/.test(e.message));
      assert.equal(here.images.get('app'), undefined);
    });

    it('one that is slow or down costs a bounded time once, and the fault names who was asked', async () => {
      const built = await one.build('app', 'x');
      await two.place.content.put(await one.place.content.read(built.id));
      two.fault = () => true; // says nothing, ever
      peers.push({ name: 'gone', url: new URL('http://127.0.0.1:1') });
      assert.deepEqual((await here.images.offers('app')).map((offer) => offer.holders.length), [1]);
      const asked = two.requests.length;
      const offers = await here.images.offers('app');
      assert.equal(two.requests.length, asked, 'it is left in peace');
      one.fault = (_request, response) => (response.destroy(), true);
      const holders = [one.peer, { name: 'gone', url: new URL('http://127.0.0.1:1') }];
      await assert.rejects(here.images.copy('app', [{ ...offers[0]!, holders }]), (e) => isFault(e, 'unavailable') && /^app:1?(latest)?: one: .*; gone: Get .*ECONNREFUSED/.test(e.message));
      later += 11_000;
      await here.images.offers('app');
      assert.ok(two.requests.length > asked, 'and asked again after a while');
    });

    it('what a registry has under a name only the registry tells; its blobs come from peers', async () => {
      const built = await one.build('reg.example/app:1', 'pushed');
      const manifest = await one.place.content.read(built.manifest.digest);
      const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [{ ...built.manifest, platform: { os: 'linux', architecture: 'amd64' } }] }));
      const digest = `sha256:${createHash('sha256').update(index).digest('hex')}`;
      const asked: string[] = [];
      const store = await testStore('pulls', {
        peers: () => peers,
        registry: {
          transport: async ({ url, method }) => {
            asked.push(`${method} ${url.pathname}`);
            const body = { [`/v2/app/manifests/1`]: index, [`/v2/app/manifests/${built.manifest.digest}`]: manifest }[url.pathname];
            return { url, status: body ? 200 : 500, reason: '', headers: { 'content-type': body === index ? mediaTypes.ociIndex : mediaTypes.ociManifest }, body: (async function* () { if (body) yield body; })(), drop() {}, destroy() {} };
          },
        },
      });
      try {
        const pulled = await store.images.pull('reg.example/app:1');
        assert.deepEqual([pulled.digest, pulled.image.id], [digest, built.id]);
        assert.deepEqual(asked.filter((request) => request.includes('/blobs/')), []);
        assert.deepEqual(await store.images.offers('reg.example/app:1'), [], 'here from its registry: no peer is asked');
        // The third has it from the second as the second has it from the registry: by its index.
        peers = [store.peer];
        const [offer] = await here.images.offers('reg.example/app:1');
        assert.deepEqual([offer?.digest, offer?.isBuilt], [digest, false]);
        const { image } = await here.images.copy('reg.example/app:1', [offer!]);
        assert.deepEqual(image.digests, [`reg.example/app@${digest}`]);
        assert.deepEqual((await here.images.offers(`reg.example/app@${digest}`)), []);
        await here.images.remove(image.id);
        assert.equal((await copy(`reg.example/app@${digest}`)).image.id, built.id);
        assert.deepEqual(registry, []);
        for (const each of [store, here]) {
          await each.images.remove(built.id);
          assert.deepEqual(await Array.fromAsync(each.place.content.list()), [], 'the index goes with its image');
        }
      } finally {
        await store.end();
      }
    });
  });
});
