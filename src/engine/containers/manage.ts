/** Rename, resize, prune. */
import type { ContainersPruneResponse } from '#api/docker/containers.ts';
import type { Filters } from '#api/docker/common.ts';
import { Fault, isFault } from '#lib/errors.ts';
import { labelsMatch, untilFilter } from '../filters.ts';
import type { ContainerContext } from './context.ts';
import { emitContainer } from './context.ts';
import { sizes } from './inspect.ts';
import type { Lifecycle } from './lifecycle.ts';
import { checkName } from './names.ts';
import { namesOn, servesNames } from './networking.ts';
import type { ContainerRecord } from './record.ts';
import { isAlive, isRunning } from './record.ts';

export async function renameContainer(context: ContainerContext, reference: string, given: string): Promise<void> {
  if (given === '') throw new Fault('invalid', 'Neither old nor new names may be empty');
  const name = checkName(given);
  const { set } = context;
  await set.lock(set.must(reference).id, async (record) => {
    if (record.name === name) throw new Fault('invalid', 'Renaming a container with the same name as its current name');
    set.claimName(name, record.id);
    try {
      const renamed = await set.update(record.id, { name });
      await renameEndpoints(context, renamed);
      emitContainer(context, renamed, 'rename', { oldName: `/${record.name}` });
    } finally {
      set.releaseName(name);
    }
  });
}

/** Others find it by its new name from now on. */
async function renameEndpoints(context: ContainerContext, record: ContainerRecord): Promise<void> {
  for (const [key, settings] of Object.entries(record.endpoints)) {
    const network = context.networks.get(key);
    if (network && servesNames(context.networks, network)) await context.networks.setAliases(network.id, record.id, namesOn(record, settings));
  }
}

export async function resizeContainer(context: ContainerContext, reference: string, size: { rows: number; columns: number }): Promise<void> {
  const record = context.set.must(reference);
  if (!isAlive(record)) throw new Fault('conflict', `container ${record.id} is not running`);
  await context.containers.resize(record.id, size);
  emitContainer(context, record, 'resize', { height: String(size.rows), width: String(size.columns) });
}

export async function pruneContainers(context: ContainerContext, lifecycle: Lifecycle, filters: Filters): Promise<ContainersPruneResponse> {
  const until = untilFilter(filters, context.clock.now());
  const deleted: string[] = [];
  let reclaimed = 0;
  for (const record of context.set.list()) {
    if (isRunning(record) || !labelsMatch(record.config.Labels, filters) || (until !== undefined && record.createdAt >= until)) continue;
    try {
      const { SizeRw } = await sizes(context, record);
      await lifecycle.remove(record.id, { force: false, volumes: false });
      deleted.push(record.id);
      reclaimed += SizeRw;
    } catch (error) {
      // started or removed by another meanwhile
      if (!isFault(error, 'conflict', 'not-found')) throw error;
    }
  }
  context.events.emit('container', 'prune', '', { reclaimed: String(reclaimed) });
  return { ContainersDeleted: deleted.length > 0 ? deleted : null, SpaceReclaimed: reclaimed };
}
