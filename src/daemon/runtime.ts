import { join } from 'node:path';
import { openContainers } from '#core/containers/open.ts';
import type { Containers } from '#core/containers/types.ts';
import { openContent } from '#core/content/store.ts';
import type { Content } from '#core/content/types.ts';
import { openImages } from '#core/images/open.ts';
import type { Peers } from '#core/images/peers/types.ts';
import type { Images } from '#core/images/types.ts';
import { createLogs } from '#core/logs/read.ts';
import type { Logs } from '#core/logs/types.ts';
import { openNetworks } from '#core/networks/open.ts';
import type { Networks } from '#core/networks/types.ts';
import { openSandboxes } from '#core/sandboxes/open.ts';
import type { Sandboxes } from '#core/sandboxes/types.ts';
import { openSnapshots } from '#core/snapshots/overlay/open.ts';
import type { Snapshots } from '#core/snapshots/types.ts';
import { openEmbeddedStore } from '#core/store/embedded/store.ts';
import { createRecords } from '#core/store/records.ts';
import type { OpenRecords } from '#core/store/records.types.ts';
import { openVolumes } from '#core/volumes/open.ts';
import type { Volumes } from '#core/volumes/types.ts';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import type { Random } from '#lib/random.ts';
import type { Kernel } from '#sys/types.ts';
import { cgroupOf } from './names.ts';

/** What everything is made from: the outside world, and where this instance lives. */
export interface Surroundings {
  root: string;
  instance: string;
  kernel: Kernel;
  clock: Clock;
  random: Random;
  log: Logger;
  registryMirrors: readonly string[];
  insecureRegistries: readonly string[];
}

/** The runtime core of one node: the nouns that both doors work on. */
export interface Runtime {
  records: OpenRecords;
  content: Content;
  snapshots: Snapshots;
  images: Images;
  containers: Containers;
  sandboxes: Sandboxes;
  networks: Networks;
  volumes: Volumes;
  logs: Logs;
  /** Lets go of it; containers run on. */
  close(): Promise<void>;
}

const runtimePath = '/usr/bin/crun';
const conmonPath = '/usr/bin/conmon';

/** Opens the runtime below `<root>/runtime`, finding again what runs; with Docker's own networks where an engine is on it. */
export async function openRuntime(around: Surroundings, options: { engine: boolean; peers?: Peers } = { engine: true }): Promise<Runtime> {
  const { kernel, clock, random, instance } = around;
  const root = join(around.root, 'runtime');
  const log = around.log;
  kernel.cgroups.mountMissing();
  // a kill of the daemon loses nothing, and no container waits for the disk: docs/decisions/0002
  const store = await openEmbeddedStore({ directory: join(root, 'records'), durability: 'process', holds: 'the records of images, containers, networks and volumes', clock, log, files: kernel.files });
  const records = createRecords(store, (key) => log.error('a stored record is damaged and left out; what it is of stays on the disk', { key }));
  const content = await openContent({ root: join(root, 'content'), clock, random });
  const snapshots = await openSnapshots({ root, content, kernel, records, clock, random, log });
  const registry = { mirrors: [...around.registryMirrors], insecure: [...around.insecureRegistries] };
  const images = await openImages({ content, snapshots, records, clock, random, log, registry, ...(options.peers ? { peers: options.peers } : {}) });
  const sandboxes = await openSandboxes({ root: join(root, 'sandboxes'), kernel, records, clock, log });
  const networks = await openNetworks({ kernel, records, instance, predefined: options.engine, clock, random, log });
  const volumes = await openVolumes({ root: join(root, 'volumes'), kernel, records, clock, random, log });
  const containers = await openContainers({
    root: join(root, 'containers'),
    kernel,
    records,
    log,
    clock,
    instance: cgroupOf(instance),
    runtimePath,
    conmonPath,
  });
  return {
    records,
    content,
    snapshots,
    images,
    containers,
    sandboxes,
    networks,
    volumes,
    logs: createLogs(),
    async close() {
      await containers.close();
      await sandboxes.close();
      await networks.close();
      await snapshots.close();
      await store.close();
    },
  };
}
