/** Joins the engine's parts, and finds what ran on when the daemon comes back. */
import { mkdirSync } from 'node:fs';
import type { ContainerEvent } from '#core/containers/types.ts';
import { Aftermath, forEachLimit } from '#lib/async.ts';
import { isFault } from '#lib/errors.ts';
import { ArchivesBackend } from './archives/backend.ts';
import { ContainersBackend } from './containers/backend.ts';
import type { ContainerContext } from './containers/context.ts';
import { emitContainer, owner } from './containers/context.ts';
import { Execs } from './containers/execs.ts';
import { HealthMonitor } from './containers/health.ts';
import { Lifecycle } from './containers/lifecycle.ts';
import type { ContainerRecord } from './containers/record.ts';
import { Recovery } from './containers/recovery.ts';
import { Rootfs } from './containers/rootfs.ts';
import { ContainerSet } from './containers/set.ts';
import { EventLog } from './events/log.ts';
import { ImagesBackend } from './images/backend.ts';
import { NetworksBackend } from './networks/backend.ts';
import { SystemBackend } from './system/backend.ts';
import type { EngineOptions } from './types.ts';
import { VolumesBackend } from './volumes/backend.ts';

/** Containers that are looked after side by side at the start. */
const recoverLimit = 8;

export interface Engine {
  system: SystemBackend;
  containers: ContainersBackend;
  archives: ArchivesBackend;
  execs: Execs;
  images: ImagesBackend;
  networks: NetworksBackend;
  volumes: VolumesBackend;
  events: EventLog;
  /** Stops all running containers, each with its own signal and time; the next engine starts those whose policy says so. */
  stopAll(): Promise<void>;
  /** Lets go of everything; containers run on. */
  close(): Promise<void>;
}

/** Opens the engine: what ran goes on, what ended meanwhile is recorded, restart policies are applied. */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  mkdirSync(options.root, { recursive: true, mode: 0o710 });
  const log = options.log.child('engine');
  const events = new EventLog(options.clock);
  const set = new ContainerSet(await options.openRecords<ContainerRecord>('docker-containers', ['name', 'imageId', 'config', 'hostConfig', 'endpoints', 'mounts', 'state']));
  const identity = await options.openRecords<{ id: string; uuid: string }>('docker-identity');
  const { uuid } = identity.get('engine') ?? (await identity.put({ id: 'engine', uuid: options.random.uuid() }));
  const context: ContainerContext = { ...options, log, set, events, rootfs: new Rootfs(options.snapshots), removals: new Aftermath() };
  const execs = new Execs(context);
  const health = new HealthMonitor(context, execs);
  const lifecycle = new Lifecycle(context, health);
  const forget = options.containers.observe((event) => follow(context, lifecycle, event));
  const recovery = new Recovery(context, lifecycle, health);
  await recovery.sweep();
  await forEachLimit(set.list(), recoverLimit, (record) => recovery.recover(record.id));
  const containers = new ContainersBackend(context, lifecycle);
  return {
    system: new SystemBackend(context, uuid),
    containers,
    archives: new ArchivesBackend(context),
    execs,
    images: new ImagesBackend(context),
    networks: new NetworksBackend(context),
    volumes: new VolumesBackend(context),
    events,
    stopAll: () => stopAll(context, lifecycle),
    close: () => {
      forget();
      for (const record of set.list()) {
        set.live(record.id).cancelRestart();
        set.live(record.id).endRun();
      }
      return context.removals.allOver();
    },
  };
}

function follow(context: ContainerContext, lifecycle: Lifecycle, event: ContainerEvent): void {
  if (event.status.owner !== owner) return;
  const { id } = event.status;
  if (event.type === 'oom') {
    const record = context.set.get(id);
    if (record) emitContainer(context, record, 'oom');
  }
  if (event.type !== 'exited') return;
  lifecycle.exited(id).catch((error: unknown) => {
    if (!isFault(error, 'not-found')) context.log.error('cannot record the end of a container', { id, error });
  });
}

async function stopAll(context: ContainerContext, lifecycle: Lifecycle): Promise<void> {
  await forEachLimit(context.set.list(), recoverLimit * 4, async (record) => {
    await lifecycle.stopWithEngine(record.id).catch((error: unknown) => {
      if (!isFault(error, 'not-found')) throw error;
    });
  });
}
