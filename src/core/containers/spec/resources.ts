import type { RuntimeDeviceRule, RuntimeResources } from '#api/oci/runtime.ts';
import type { ResourceSpec } from '../types.ts';

/** Resource limits in the runtime's terms; -1 is no limit there too. */
export function runtimeResources(spec: ResourceSpec, devices: RuntimeDeviceRule[]): RuntimeResources {
  const memory = defined({
    limit: spec.memoryBytes,
    swap: spec.memorySwapBytes,
    reservation: spec.memoryReservation,
    swappiness: spec.memorySwappiness,
    disableOOMKiller: spec.oomKillDisable,
  });
  const cpu = defined({
    shares: spec.cpuShares,
    quota: spec.cpuQuota,
    period: spec.cpuPeriod,
    realtimePeriod: spec.cpuRealtimePeriod,
    realtimeRuntime: spec.cpuRealtimeRuntime,
    cpus: spec.cpusetCpus,
    mems: spec.cpusetMems,
  });
  const resources: RuntimeResources = { devices };
  if (memory) resources.memory = memory;
  if (cpu) resources.cpu = cpu;
  if (spec.pids !== undefined) resources.pids = { limit: spec.pids };
  if (spec.blkioWeight !== undefined) resources.blockIO = { weight: spec.blkioWeight };
  if (spec.hugepageLimits?.length) resources.hugepageLimits = spec.hugepageLimits.map((limit) => ({ ...limit }));
  return resources;
}

function defined<T extends object>(value: T): T | undefined {
  const entries = Object.entries(value).filter(([, v]) => v !== undefined);
  return entries.length === 0 ? undefined : (Object.fromEntries(entries) as T);
}
