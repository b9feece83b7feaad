import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import type { Random } from '#lib/random.ts';
import type { OpenRecords } from '#core/store/records.types.ts';
import type { Kernel } from '#sys/types.ts';
import { HostSide } from './bridge/host.ts';
import { BridgeNetworks, type EndpointRecord, type NameRecord } from './networks.ts';
import { linkNames } from './links.ts';
import { PublishedPorts, type PublishedRecord } from './ports/published.ts';
import type { Network, Networks } from './types.ts';

export interface NetworksOptions {
  kernel: Kernel;
  records: OpenRecords;
  /** Six letters or digits that links and tables carry. */
  instance: string;
  /** Whether there are Docker's own networks (`bridge`, `host`, `none`); default yes. A node without an engine has none. */
  predefined?: boolean;
  clock: Clock;
  random: Random;
  log: Logger;
}

/** Opens the networks of an instance: what the kernel has is completed to what the records say. */
export async function openNetworks(options: NetworksOptions): Promise<Networks> {
  const { kernel, records } = options;
  const names = linkNames(options.instance);
  const networks = new BridgeNetworks({
    ...options,
    log: options.log.child('networks'),
    names,
    predefined: options.predefined ?? true,
    host: new HostSide(kernel),
    networks: await records<Network>('networks'),
    endpoints: await records<EndpointRecord>('endpoints'),
    served: await records<NameRecord>('served-names'),
    published: new PublishedPorts(await records<PublishedRecord>('published-ports'), kernel, names.table),
  });
  await networks.recover();
  return networks;
}
