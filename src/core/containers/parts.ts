import type { Records } from '#core/store/records.types.ts';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import type { Kernel } from '#sys/types.ts';
import type { ConmonPaths } from './conmon/spawn.ts';
import type { ContainerRecord } from './record.ts';
import type { Runtime } from './runtime.ts';
import type { SpecHost } from './spec/host.ts';

/** What the parts of this room share. */
export interface ContainerParts {
  kernel: Kernel;
  log: Logger;
  clock: Clock;
  instance: string;
  paths: ConmonPaths;
  bundles: string;
  records: Records<ContainerRecord>;
  runtime: Runtime;
  host: SpecHost;
  bootId: string;
}
