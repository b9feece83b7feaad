import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import type { Random } from '#lib/random.ts';
import type { OpenRecords } from '#core/store/records.types.ts';
import type { Kernel } from '#sys/types.ts';
import { BridgeDriver } from './bridge/driver.ts';
import { HostSide } from './host.ts';
import type { PlacedEndpoint } from './driver.ts';
import { DrivenNetworks, type NameRecord } from './networks.ts';
import { linkNames } from './links.ts';
import { PublishedPorts, type PublishedRecord } from './ports/published.ts';
import type { Network, Networks } from './types.ts';
import { driverWithoutEndpoints } from './without-endpoints/driver.ts';

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
  const host = new HostSide(kernel);
  const drivers = [new BridgeDriver(host, names, options.clock), driverWithoutEndpoints('host'), driverWithoutEndpoints('none')];
  const networks = new DrivenNetworks({
    ...options,
    log: options.log.child('networks'),
    names,
    predefined: options.predefined ?? true,
    drivers,
    host,
    networks: await records<Network>('networks'),
    endpoints: await records<PlacedEndpoint>('endpoints'),
    served: await records<NameRecord>('served-names'),
    published: new PublishedPorts(await records<PublishedRecord>('published-ports'), kernel, names.table),
  });
  await networks.recover();
  return networks;
}
