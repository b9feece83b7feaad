import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import type { OpenRecords } from '#core/store/records.types.ts';
import type { Kernel } from '#sys/types.ts';
import { ConmonContainers } from './containers.ts';
import type { ContainerRecord } from './record.ts';
import { keepLogs } from './log-keeper.ts';
import { recover } from './recover.ts';
import { openRuntime } from './runtime.ts';
import { specHost } from './spec/host.ts';
import type { Containers } from './types.ts';

export interface ContainersOptions {
  /** Directory of bundles and of the runtime's state. */
  root: string;
  kernel: Kernel;
  records: OpenRecords;
  log: Logger;
  clock: Clock;
  /** Short name of the instance: the first part of each cgroup's name. */
  instance: string;
  /** The OCI runtime, `/usr/bin/crun`. */
  runtimePath: string;
  conmonPath: string;
}

/** Opens the containers of an instance, finding those that run and those that ended meanwhile. */
export async function openContainers(options: ContainersOptions): Promise<Containers> {
  const { root, kernel } = options;
  const log = options.log.child('containers');
  const paths = { conmon: options.conmonPath, runtime: kernel.processes.sealedCopy(options.runtimePath), runtimeRoot: join(root, 'runtime') };
  const bundles = join(root, 'bundles');
  mkdirSync(bundles, { recursive: true, mode: 0o700 });
  mkdirSync(paths.runtimeRoot, { recursive: true, mode: 0o700 });
  const containers = new ConmonContainers({
    kernel,
    log,
    clock: options.clock,
    instance: options.instance,
    paths,
    bundles,
    records: await options.records<ContainerRecord>('containers', ['owner', 'labels', 'createdAt', 'cgroup', 'capabilities', 'bootId']),
    runtime: openRuntime(kernel.processes, paths),
    host: specHost(kernel.cgroups.version(), log),
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
  });
  await recover(containers.parts, containers);
  keepLogs(containers.parts, containers.entries, containers.closing.signal);
  return containers;
}
