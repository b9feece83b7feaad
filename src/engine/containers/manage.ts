/** Rename, update, resize, prune. */
import type { ContainersPruneResponse, UpdateRequest } from '#api/docker/containers.ts';
import type { Filters } from '#api/docker/common.ts';
import type { HostConfig } from '#api/docker/host-config.ts';
import { Fault, isFault } from '#lib/errors.ts';
import { labelsMatch, untilFilter } from '../filters.ts';
import type { ContainerContext } from './context.ts';
import { emitContainer } from './context.ts';
import { checkResources, checkRestartPolicy } from './host-config.ts';
import { sizes } from './inspect.ts';
import type { Lifecycle } from './lifecycle.ts';
import { checkName } from './names.ts';
import { namesOn, servesNames } from './networking.ts';
import type { ContainerRecord } from './record.ts';
import { isAlive, isRunning } from './record.ts';
import { resourceSpec } from './spec.ts';

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
    if (network && servesNames(network)) await context.networks.setAliases(network.id, record.id, namesOn(record, settings));
  }
}

/** What `docker update` can change; the rest of Resources is fixed at creation. */
const changeable = [
  'CpuShares', 'Memory', 'NanoCpus', 'CpuPeriod', 'CpuQuota', 'CpusetCpus', 'CpusetMems', 'MemoryReservation', 'MemorySwap', 'PidsLimit',
] as const;
const fixed = ['BlkioWeight', 'CpuRealtimePeriod', 'CpuRealtimeRuntime', 'KernelMemory'] as const;

export async function updateContainer(context: ContainerContext, reference: string, request: UpdateRequest): Promise<{ Warnings: string[] | null }> {
  for (const key of fixed) {
    if ((request[key] ?? 0) !== 0) throw new Fault('not-implemented', `updating ${key} is not implemented by Gantry; make the container anew`);
  }
  const { set } = context;
  await set.lock(set.must(reference).id, async (record) => {
    const asked = changeable.filter((key) => request[key] !== undefined && request[key] !== null && request[key] !== 0 && request[key] !== '');
    const change: HostConfig = Object.fromEntries(asked.map((key) => [key, request[key]]));
    if (request.NanoCpus) Object.assign(change, { CpuPeriod: 0, CpuQuota: 0 });
    if (request.CpuPeriod || request.CpuQuota) change.NanoCpus = 0;
    const hostConfig = { ...record.hostConfig, ...change };
    if (request.RestartPolicy?.Name) {
      if (record.hostConfig.AutoRemove && request.RestartPolicy.Name !== 'no') throw new Fault('invalid', 'Restart policy cannot be updated because AutoRemove is enabled for the container');
      hostConfig.RestartPolicy = checkRestartPolicy(request.RestartPolicy);
    }
    checkResources(hostConfig);
    if (isAlive(record) && asked.length > 0) await context.containers.update(record.id, resourceSpec(hostConfig));
    emitContainer(context, await set.update(record.id, { hostConfig }), 'update');
  });
  return { Warnings: null };
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
