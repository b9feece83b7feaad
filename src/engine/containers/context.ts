/** What the parts of the containers' room share. */
import { join } from 'node:path';
import type { Aftermath } from '#lib/async.ts';
import type { EventLog } from '../events/log.ts';
import type { EngineOptions } from '../types.ts';
import type { ContainerRecord } from './record.ts';
import type { Rootfs } from './rootfs.ts';
import type { ContainerSet } from './set.ts';

export interface ContainerContext extends EngineOptions {
  set: ContainerSet;
  events: EventLog;
  rootfs: Rootfs;
  /** What is left to do of removals, by the container's id. */
  removals: Aftermath;
}

/** Whose the engine's containers and sandboxes are in core. */
export const owner = 'docker';

export function directoryOf(context: Pick<ContainerContext, 'root'>, id: string): string {
  return join(context.root, 'containers', id);
}

export function logPathOf(context: Pick<ContainerContext, 'root'>, record: ContainerRecord): string | undefined {
  return record.hostConfig.LogConfig?.Type === 'none' ? undefined : join(directoryOf(context, record.id), 'log');
}

/** A container's event, with its image, name and labels. */
export function emitContainer(context: Pick<ContainerContext, 'events'>, record: ContainerRecord, action: string, more: Record<string, string> = {}): void {
  context.events.emit('container', action, record.id, { ...record.config.Labels, image: record.image, name: record.name, ...more });
}
