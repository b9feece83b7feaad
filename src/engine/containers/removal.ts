/** Takes a container away. With its lock held. */
import { rm } from 'node:fs/promises';
import { isFault } from '#lib/errors.ts';
import type { ContainerContext } from './context.ts';
import { directoryOf, emitContainer } from './context.ts';
import type { ContainerRecord } from './record.ts';

export interface RemovalOptions {
  /** Its anonymous volumes too. */
  volumes: boolean;
}

export async function removeLocked(context: ContainerContext, record: ContainerRecord, options: RemovalOptions): Promise<void> {
  await removeFiles(context, record, options);
  await forget(context, record);
}

/** All of it but its directory and its record, which stay until the rest is gone: both tell the next start of what is left. */
export async function removeFiles(context: ContainerContext, record: ContainerRecord, options: RemovalOptions): Promise<void> {
  const { set, containers, snapshots, volumes, rootfs, log } = context;
  set.live(record.id).cancelRestart();
  await set.setState(record.id, { status: 'removing' });
  try {
    await containers.remove(record.id);
    rootfs.forget(record.id);
    await snapshots.remove(record.id);
    for (const mount of record.mounts) {
      if (mount.volume === undefined) continue;
      await volumes.release(mount.volume, record.id);
      if (options.volumes && mount.anonymous) await removeVolume(context, mount.volume);
    }
  } catch (error) {
    await set.setState(record.id, { status: 'dead' });
    log.error('cannot remove a container', { id: record.id, error });
    throw error;
  }
}

/** The record goes, and whoever waited for that is told; then its directory, for which nobody waits. */
export async function forget(context: ContainerContext, record: ContainerRecord): Promise<void> {
  const live = context.set.live(record.id);
  await context.set.delete(record.id);
  emitContainer(context, record, 'destroy');
  live.endRun();
  live.removed({ StatusCode: record.state.exitCode });
  const directory = (): Promise<void> => rm(directoryOf(context, record.id), { recursive: true, force: true });
  context.removals.begin(record.id, directory, (error) => context.log.warn('the directory of a removed container stays until the next start', { id: record.id, error }));
}

/** One that another container took up meanwhile stays. */
async function removeVolume(context: ContainerContext, name: string): Promise<void> {
  try {
    await context.volumes.remove(name);
    context.events.emit('volume', 'destroy', name, { driver: 'local' });
  } catch (error) {
    if (!isFault(error, 'conflict', 'not-found')) throw error;
  }
}
