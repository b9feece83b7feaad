/** docker update: limits and restart policy of a container that is there, running or not. */
import type { UpdateRequest } from '#api/docker/containers.ts';
import type { HostConfig } from '#api/docker/host-config.ts';
import { Fault } from '#lib/errors.ts';
import type { ContainerContext } from './context.ts';
import { emitContainer } from './context.ts';
import { checkResources, checkRestartPolicy } from './host-config.ts';
import { isAlive } from './record.ts';
import { resourceSpec } from './spec.ts';

/** What can be changed; the rest of Resources is fixed at creation. */
const changeable = [
  'CpuShares', 'Memory', 'NanoCpus', 'CpuPeriod', 'CpuQuota', 'CpusetCpus', 'CpusetMems', 'MemoryReservation', 'MemorySwap', 'PidsLimit',
] as const;

export async function updateContainer(context: ContainerContext, reference: string, request: UpdateRequest): Promise<{ Warnings: string[] | null }> {
  const { RestartPolicy, ...resources } = request;
  const fixed = Object.entries(resources).find(([key, value]) => !(changeable as readonly string[]).includes(key) && isAsked(value));
  if (fixed) throw new Fault('not-implemented', `updating ${fixed[0]} is not implemented by Gantry; make the container anew`);
  const { set } = context;
  await set.lock(set.must(reference).id, async (record) => {
    if (record.state.status === 'removing' || record.state.status === 'dead') throw new Fault('conflict', `container ${record.id} is marked for removal and cannot be "update"`);
    const change = resourceChange(record.hostConfig, resources);
    const hostConfig = { ...record.hostConfig, ...change };
    if (RestartPolicy?.Name) {
      if (record.hostConfig.AutoRemove && RestartPolicy.Name !== 'no') throw new Fault('invalid', 'Restart policy cannot be updated because AutoRemove is enabled for the container');
      hostConfig.RestartPolicy = checkRestartPolicy(RestartPolicy);
    }
    checkResources(hostConfig);
    const limits = { ...resourceSpec(hostConfig), ...(change.PidsLimit === null ? { pids: -1 } : {}) };
    if (isAlive(record) && Object.keys(change).length > 0) await context.containers.update(record.id, limits);
    emitContainer(context, await set.update(record.id, { hostConfig }), 'update');
  });
  return { Warnings: null };
}

/** Zero, the empty text and the like are what clients send for what they do not change. */
function isAsked(value: unknown): boolean {
  if (value === null || value === undefined || value === 0 || value === '' || value === false) return false;
  return !Array.isArray(value) || value.length > 0;
}

/** The fields that change. Throws where one of them does not go with what is set already. Pure. */
export function resourceChange(before: HostConfig, request: UpdateRequest): HostConfig {
  const change: HostConfig = Object.fromEntries(changeable.filter((key) => isAsked(request[key])).map((key) => [key, request[key]]));
  // a limit of processes is a pointer in Go: 0 is an answer too, and lifts it as -1 does
  if (typeof request.PidsLimit === 'number' && request.PidsLimit <= 0) change.PidsLimit = null;
  if (request.NanoCpus) Object.assign(change, { CpuPeriod: 0, CpuQuota: 0 });
  if (request.CpuPeriod || request.CpuQuota) change.NanoCpus = 0;
  if (request.Memory && !request.MemorySwap) {
    const swap = before.MemorySwap ?? 0;
    if (swap > 0 && request.Memory > swap) throw new Fault('conflict', 'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time');
    if (swap === 0) change.MemorySwap = 2 * request.Memory;
  }
  return change;
}
