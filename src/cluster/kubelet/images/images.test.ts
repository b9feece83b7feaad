import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Node, Pod } from '#api/kube/types.ts';
import { nodes } from '#client/kube/resources.ts';
import { openImages } from '#core/images/open.ts';
import { testStore } from '#core/images/peers/testing.ts';
import type { TestStore } from '#core/images/peers/testing.ts';
import type { Images } from '#core/images/types.ts';
import { testPlace } from '#core/snapshots/testing.ts';
import type { TestPlace } from '#core/snapshots/testing.ts';
import { systemClock } from '#lib/clock.ts';
import { isFault } from '#lib/errors.ts';
import { silentLogger } from '#lib/log.ts';
import { systemRandom } from '#lib/random.ts';
import { onLinuxAsRoot } from '#sys/testing.ts';
import { ensureImage } from '../pod/images.ts';
import { FakeApi, testCertificates } from '../testing.ts';
import type { TestCertificates } from '../testing.ts';
import type { NodeContext } from '../types.ts';
import { bytesToFree, defaultCollection, lookAtImages } from './collect.ts';
import { clusterPeers, peerOf } from './peers.ts';
import { listenForNodes } from './serve.ts';
import type { ImageListener } from './serve.ts';

onLinuxAsRoot('images of a cluster', () => {
  describe('images of a cluster', () => {
    let tls: TestCertificates;
    let api: FakeApi;
    let engine: TestStore;
    let listener: ImageListener;
    let place: TestPlace;
    let images: Images;
    let events: string[];
    const stop = new AbortController();

    before(async () => {
      [tls, engine, place] = await Promise.all([testCertificates(), testStore('engine'), testPlace('node')]);
    });
    beforeEach(async () => {
      api = new FakeApi();
      listener = await listenForNodes({ images: engine.images, tls: { ...tls, clientCa: tls.cert }, host: '127.0.0.1' });
      api.put(nodes, nodeAt('node-1', 1));
      api.put(nodes, nodeAt('node-2', listener.port));
      api.put(nodes, nodeAt('node-3', 1, 'Unknown'));
      images = await open(tls.node);
      events = [];
    });
    afterEach(async () => {
      await listener.close();
      for (const store of [engine.images, images]) for (const image of store.list()) await store.remove(image.id);
    });
    after(async () => {
      stop.abort();
      await Promise.all([engine.end(), place.end()]);
    });

    const nodeAt = (name: string, Port: number, ready = 'True'): Node =>
      ({ apiVersion: 'v1', kind: 'Node', metadata: { name }, status: { addresses: [{ type: 'InternalIP', address: '127.0.0.1' }], daemonEndpoints: { kubeletEndpoint: { Port } }, conditions: [{ type: 'Ready', status: ready }] } }) as Node;
    const open = (identity: { cert: string; key: string }): Promise<Images> => {
      const peers = clusterPeers({ client: api.client, clock: systemClock, log: silentLogger, signal: stop.signal, self: 'node-1', tls: { ca: tls.cert, ...identity } });
      const registry = { transport: ({ url }: { url: URL }) => Promise.reject(new Error(`${url.host} was asked`)) };
      return openImages({ content: place.content, snapshots: place.snapshots, records: place.records, clock: systemClock, random: systemRandom, log: silentLogger, registry, peers });
    };
    const imagesUsed = new Map<string, number>();
    const start = async (image: string, imagePullPolicy?: string): Promise<string> => {
      const node = { core: { images }, clock: systemClock, imagesUsed, recorder: { pod: (_pod: Pod, type: string, reason: string, message: string) => void events.push(`${type} ${reason} ${message.replace(/ in [0-9.]+s.*/, '')}`) } } as unknown as NodeContext;
      const container = { name: 'main', image, ...(imagePullPolicy ? { imagePullPolicy } : {}) };
      const pod = { apiVersion: 'v1', kind: 'Pod', metadata: {}, spec: { containers: [container] } } as unknown as Pod;
      return (await ensureImage(node, pod, container, {} as Parameters<typeof ensureImage>[3], stop.signal)).id;
    };

    it('what the engine built runs on a node under each policy, with the events of a pull', async () => {
      const built = await engine.build('app', 'a');
      assert.equal(await start('app', 'Never'), built.id);
      assert.equal(await start('app', 'Never'), built.id);
      assert.deepEqual(events, ['Normal Pulling Pulling image "app"', 'Normal Pulled Successfully pulled image "app"', 'Normal Pulled Container image "app" already present on machine']);
    });

    it('a pod that is started after a rebuild gets the new build, whatever its policy', async () => {
      for (const policy of ['Always', 'IfNotPresent', 'Never']) {
        const first = await engine.build('app:1', `${policy} first`);
        assert.equal(await start('app:1', policy), first.id, policy);
        const second = await engine.build('app:1', `${policy} second`);
        assert.equal(await start('app:1', policy), second.id, policy);
        assert.equal(await start('app:1', policy), second.id, policy);
      }
    });

    it('where the engine is away, what is here runs; what is nowhere fails with the words of the registry', async () => {
      const built = await engine.build('app', 'a');
      await start('app');
      await listener.close();
      assert.equal(await start('app'), built.id);
      events.length = 0;
      await assert.rejects(start('other:1'), (e) => isFault(e, 'unavailable') && /^Failed to pull image "other:1": .*registry-1\.docker\.io was asked$/.test(e.message));
      await assert.rejects(start('other:1', 'Never'), (e) => isFault(e, 'not-found') && e.details.reason === 'ErrImageNeverPull');
      assert.deepEqual(events, ['Normal Pulling Pulling image "other:1"', 'Warning Failed Failed to pull image "other:1": Get "https://registry-1.docker.io/v2/library/other/manifests/1": registry-1.docker.io was asked']);
    });

    it('a copy that fails is told of, and then the registry is asked', async () => {
      const built = await engine.build('app', 'a');
      await engine.place.content.delete(built.layers[0]!.digest);
      await assert.rejects(start('app'), (e) => isFault(e, 'unavailable') && /^Failed to pull image "app": blob (\S+): node-2: blob unknown: blob \1 is not here; Get .* was asked$/.test(e.message));
    });

    it('a disk that is full loses what no container stands on, and nothing that is the user\'s or may be the last copy', async () => {
      const name = (tag: string): string => `docker.io/library/app:${tag}`;
      for (const tag of ['used', 'user', 'old', 'older', 'wanted', 'built']) {
        const { id, manifest } = await engine.build(`app:${tag}`, tag, 50_000);
        const [offer] = await images.offers(`app:${tag}`);
        const isOfRegistry = tag !== 'built';
        const copied = await images.copy(`app:${tag}`, [{ ...offer!, isBuilt: !isOfRegistry }], { owner: 'kubelet' });
        assert.equal(copied.image.owner, 'kubelet');
        assert.deepEqual([copied.image.id, copied.image.digests.length], [id, isOfRegistry ? 1 : 0], manifest.digest);
      }
      await images.tag(images.get('app:user')!.id, 'mine');
      await place.snapshots.create('container', images.get('app:used')!.chain);
      const later = 10 * 60_000;
      let now = Date.now() + later;
      const lost: string[] = [];
      // Each layer has some 50,000 bytes unpacked, and as many as a blob: two of them make up for 150,000.
      const node = {
        core: { images, snapshots: place.snapshots, kernel: { files: { space: () => ({ total: 1_000_000, available: 50_000 }) } } },
        clock: { now: () => now }, log: silentLogger, root: '/', imagesUsed: new Map([[images.get('app:older')!.id, now - later], [images.get('app:wanted')!.id, now]]),
        recorder: { node: (_type: string, reason: string, message: string) => void lost.push(`${reason} ${message}`) },
      } as unknown as NodeContext;
      const left = (): string[] => images.list().flatMap((image) => image.names).filter((one) => one.startsWith(name(''))).map((one) => one.slice(name('').length)).sort();
      await lookAtImages(node, { ...defaultCollection, highPercent: 96 });
      assert.equal(left().length, 6, 'there is room');
      await lookAtImages(node, defaultCollection);
      assert.deepEqual(left(), ['built', 'used', 'user', 'wanted']);
      assert.deepEqual(lost, []);
      now += later;
      await lookAtImages(node, defaultCollection);
      assert.deepEqual(left(), ['built', 'used', 'user']);
      assert.match(lost[0]!, /^FreeDiskSpaceFailed Failed to garbage collect required amount of images\. Attempted to free 150000 bytes, but only found \d+ bytes eligible to free\.$/);
      const before = images.get('app:built')!.id;
      await engine.build('app:built', 'anew');
      await images.copy('app:built', await images.offers('app:built'), { owner: 'kubelet' });
      now += later;
      await lookAtImages(node, defaultCollection);
      assert.equal(images.get(before), undefined, 'a build that another one has replaced');
      assert.deepEqual(left(), ['built', 'used', 'user']);
      await place.snapshots.remove('container');
    });

    it('who is no node gets nothing', async () => {
      await engine.build('app', 'a');
      images = await open(tls.stranger);
      assert.deepEqual(await images.offers('app'), []);
    });
  });
});

it('a node that is not ready, or has no address, is no peer', () => {
  const status = { addresses: [{ type: 'InternalIP', address: 'fd00::2' }], daemonEndpoints: { kubeletEndpoint: { Port: 10250 } }, conditions: [{ type: 'Ready', status: 'True' }] };
  const node = (changes: object): Node => ({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' }, spec: {}, status: { ...status, ...changes } }) as Node;
  assert.deepEqual(peerOf(node({})), { name: 'n', url: new URL('https://[fd00::2]:10250') });
  for (const changes of [{ conditions: [] }, { addresses: [] }, { daemonEndpoints: {} }, { conditions: [{ type: 'Ready', status: 'False' }] }]) assert.equal(peerOf(node(changes)), undefined);
});

it('room is made from the high mark down to the low one', () => {
  const free = (available: number): number => bytesToFree({ total: 1000, available }, defaultCollection);
  assert.deepEqual([free(1000), free(151), free(150), free(100), free(0)], [0, 0, 50, 100, 200]);
  assert.equal(bytesToFree({ total: 0, available: 0 }, defaultCollection), 0);
});
