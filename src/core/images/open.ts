import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import type { Random } from '#lib/random.ts';
import type { Content, Digest } from '#core/content/types.ts';
import type { Snapshots } from '#core/snapshots/types.ts';
import type { OpenRecords } from '#core/store/records.types.ts';
import { ImageCatalog } from './catalog.ts';
import type { ImageRecord } from './catalog.ts';
import { Collector } from './collect.ts';
import type { OrphanRecord } from './collect.ts';
import { PeerFinder } from './peers/find.ts';
import type { Peers } from './peers/types.ts';
import { RegistryClient } from './remote/client.ts';
import type { RegistryOptions } from './remote/client.ts';
import { StoredImages } from './store.ts';
import type { Images } from './types.ts';

export interface ImagesOptions {
  content: Content;
  snapshots: Snapshots;
  records: OpenRecords;
  clock: Clock;
  random: Random;
  log: Logger;
  registry?: RegistryOptions;
  /** Other stores of the cluster, asked before registries; see `peers/types.ts`. */
  peers?: Peers;
  /** Blobs that others than images keep in the same content store; whatever is not named goes after a day. */
  alsoNeeded?: () => Iterable<Digest>;
}

/** Opens the images that `records` holds, mends what they have lost, and removes layers and blobs that nothing needs any more. */
export async function openImages(options: ImagesOptions): Promise<Images> {
  const { content, snapshots, clock } = options;
  const log = options.log.child('images');
  const records = await options.records<ImageRecord>('images', ['manifest', 'layers', 'names', 'digests']);
  const catalog = await ImageCatalog.open({ records, content, snapshots, clock, log });
  const orphans = await options.records<OrphanRecord>('orphan-layers');
  const collector = new Collector({ content, snapshots, catalog, orphans, alsoNeeded: options.alsoNeeded ?? (() => []) });
  // what an image needs that cannot be read is not known
  if (records.damaged.size === 0) await collector.sweep(clock.now());
  const client = new RegistryClient({ ...options.registry, clock, random: options.random, log });
  const finder = options.peers && new PeerFinder({ peers: options.peers, clock, random: options.random, log });
  return new StoredImages({ content, snapshots, catalog, collector, client, random: options.random, ...(finder ? { finder } : {}) });
}
