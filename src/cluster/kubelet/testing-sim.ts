/** For tests: a kubelet on a machine of fakes, under a clock that is advanced by hand. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pod } from '#api/kube/types.ts';
import { openFakeBed } from '#core/containers/fake-bed.ts';
import type { Images } from '#core/images/types.ts';
import { createLogs } from '#core/logs/read.ts';
import type { Endpoint, Networks } from '#core/networks/types.ts';
import { openSandboxes } from '#core/sandboxes/open.ts';
import type { Snapshots } from '#core/snapshots/types.ts';
import { createMemoryStore } from '#core/store/memory/store.ts';
import { createRecords } from '#core/store/records.ts';
import { VirtualClock } from '#lib/clock-virtual.ts';
import { Fault } from '#lib/errors.ts';
import { createLogger } from '#lib/log.ts';
import { seededRandom } from '#lib/random.ts';
import { startKubelet } from './start.ts';
import { FakeApi, imageOf, testCertificates } from './testing.ts';
import type { Kubelet, NodeCore } from './types.ts';

export interface SimNode {
  api: FakeApi;
  clock: VirtualClock;
  core: NodeCore;
  kubelet: Kubelet;
  /** When what was tried to be pulled, in virtual milliseconds. */
  pulls: number[];
  run(name: string, spec: Partial<Pod['spec']>): void;
  pod(name: string): Pod | undefined;
  end(): Promise<void>;
}

/** One network; endpoints get the next address. */
function simNetworks(): Networks {
  const endpoints = new Map<string, Endpoint>();
  let last = 1;
  const partial: Partial<Networks> = {
    get: () => ({ id: 'pods' }) as ReturnType<Networks['get']>,
    endpoints: ({ sandbox }) => [...endpoints.values()].filter(({ sandboxId }) => sandboxId === sandbox),
    attach: async (networkId, { sandboxId }) => {
      const endpoint = { id: sandboxId, networkId, sandboxId, address: `10.244.0.${++last}` } as Endpoint;
      endpoints.set(sandboxId, endpoint);
      return endpoint;
    },
    detach: async (_, sandboxId) => void endpoints.delete(sandboxId),
    unpublish: async () => {},
    published: () => [],
  };
  return partial as Networks;
}

export async function openSimNode(): Promise<SimNode> {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-sim-'));
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const log = createLogger({ write: () => {} });
  const records = createRecords(createMemoryStore({ clock }));
  const api = new FakeApi();
  const pulls: number[] = [];
  const images: Partial<Images> = {
    get: (name) => (name === 'present' ? imageOf(name) : undefined),
    offers: () => Promise.resolve([]),
    pull: (name) => {
      pulls.push(clock.now());
      return Promise.reject(new Fault('not-found', `no registry has ${name}`));
    },
  };
  const rootfs = (key: string): string => join(directory, 'snapshots', key);
  const snapshots: Partial<Snapshots> = {
    create: async (key) => void mkdirSync(rootfs(key), { recursive: true }),
    mount: async (key) => rootfs(key),
    active: () => [],
    remove: async (key) => rmSync(rootfs(key), { recursive: true, force: true }),
  };
  const { kernel, containers } = openFakeBed(clock);
  const core: NodeCore = {
    kernel,
    containers,
    sandboxes: await openSandboxes({ root: join(directory, 'sandboxes'), kernel, records, clock, log }),
    images: images as Images,
    snapshots: snapshots as Snapshots,
    networks: simNetworks(),
    logs: createLogs(),
  };
  const { cert, key } = await testCertificates();
  const kubelet = await startKubelet({
    client: api.client, core, clock, random, log, nodeName: 'node-1', address: '127.0.0.1', root: join(directory, 'kubelet'), version: '0.0.0',
    podNetwork: { name: 'pods' }, instance: 'sim', clusterDns: [], clusterDomain: 'cluster.local', server: { cert, key, clientCa: cert, host: '127.0.0.1' },
  });
  return {
    api, clock, core, kubelet, pulls,
    run(name, spec) {
      const containers = spec.containers ?? [{ name: 'main', image: 'present', command: ['sleep', '1000000'] }];
      api.put({ group: '', version: 'v1', resource: 'pods' }, { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default' }, spec: { nodeName: 'node-1', ...spec, containers } }, true);
    },
    pod: (name) => api.objects.get(`pods/default/${name}`) as Pod | undefined,
    async end() {
      await kubelet.stop();
      await core.sandboxes.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
