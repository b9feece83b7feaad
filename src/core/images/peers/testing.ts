/** For tests of peers: a store with images in it, served on loopback, with a hook for faults. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from '#lib/clock.ts';
import type { Clock } from '#lib/clock.ts';
import { createHttpTransport } from '#lib/http-client.ts';
import { silentLogger } from '#lib/log.ts';
import { systemRandom } from '#lib/random.ts';
import { file, putLayer, testPlace } from '#core/snapshots/testing.ts';
import type { TestPlace } from '#core/snapshots/testing.ts';
import { openImages } from '../open.ts';
import type { RegistryOptions } from '../remote/client.ts';
import { createImageServer } from '../serve/serve.ts';
import type { Image, Images } from '../types.ts';
import type { Peer } from './types.ts';

/** Answers a request itself, or returns false. */
export type Fault = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface TestStore {
  place: TestPlace;
  images: Images;
  peer: Peer;
  /** `METHOD path`, in order. */
  requests: string[];
  fault: Fault;
  /** An image of one layer with `text` in it and as many random bytes. */
  build(name: string, text: string, bytes?: number): Promise<Image>;
  end(): Promise<void>;
}

export interface TestStoreOptions {
  peers?: () => readonly Peer[];
  registry?: RegistryOptions;
  clock?: Clock;
}

export async function testStore(name: string, options: TestStoreOptions = {}): Promise<TestStore> {
  const place = await testPlace(name);
  const { peers, registry, clock = systemClock } = options;
  const transport = createHttpTransport({ connectMs: 1000, idleMs: 300 });
  const common = { content: place.content, snapshots: place.snapshots, records: place.records, clock, random: systemRandom, log: silentLogger };
  const images = await openImages({ ...common, ...(registry ? { registry } : {}), ...(peers ? { peers: { list: async () => peers(), transport } } : {}) });
  const serving = createImageServer(images, () => {});
  const server = createServer((request, response) => {
    store.requests.push(`${request.method} ${request.url}`);
    if (!store.fault(request, response)) void serving.answer(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const store: TestStore = {
    place,
    images,
    peer: { name, url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`) },
    requests: [],
    fault: () => false,
    async build(tag, text, bytes = 1000) {
      const noise = { entry: { ...file('noise', '').entry, size: bytes }, body: randomBytes(bytes) };
      const layer = await putLayer(place.content, [file('text', text), noise]);
      return images.assemble({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [layer.diffId] } }, [layer.descriptor], [tag]);
    },
    async end() {
      server.closeAllConnections();
      server.close();
      await place.end();
    },
  };
  return store;
}
