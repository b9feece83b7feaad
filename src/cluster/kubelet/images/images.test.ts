import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
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

    beforeEach(async () => {
      tls = await testCertificates();
      api = new FakeApi();
      [engine, place] = await Promise.all([testStore('engine'), testPlace('node')]);
      listener = await listenForNodes({ images: engine.images, tls: { ...tls, clientCa: tls.cert }, host: '127.0.0.1' });
      api.put(nodes, nodeAt('node-1', 1));
      api.put(nodes, nodeAt('node-2', listener.port));
      api.put(nodes, nodeAt('node-3', 1, 'Unknown'));
      images = await open(tls.node);
      events = [];
    });
    afterEach(async () => {
      await listener.close();
      await Promise.all([engine.end(), place.end()]);
    });

    const nodeAt = (name: string, Port: number, ready = 'True'): Node =>
      ({ apiVersion: 'v1', kind: 'Node', metadata: { name }, status: { addresses: [{ type: 'InternalIP', address: '127.0.0.1' }], daemonEndpoints: { kubeletEndpoint: { Port } }, conditions: [{ type: 'Ready', status: ready }] } }) as Node;
    const open = (identity: { cert: string; key: string }): Promise<Images> => {
      const peers = clusterPeers({ client: api.client, clock: systemClock, log: silentLogger, signal: stop.signal, self: 'node-1', tls: { ca: tls.cert, ...identity } });
      const registry = { transport: ({ url }: { url: URL }) => Promise.reject(new Error(`${url.host} was asked`)) };
      return openImages({ content: place.content, snapshots: place.snapshots, records: place.records, clock: systemClock, random: systemRandom, log: silentLogger, registry, peers });
    };
    const start = async (image: string, imagePullPolicy?: string): Promise<string> => {
      const node = { core: { images }, clock: systemClock, recorder: { pod: (_pod: Pod, type: string, reason: string, message: string) => void events.push(`${type} ${reason} ${message.replace(/ in [0-9.]+s.*/, '')}`) } } as unknown as NodeContext;
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
