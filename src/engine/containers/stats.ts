/** docker stats: what the container's cgroup and network namespace count. */
import { readFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import type { CpuStats, NetworkStats, StatsResponse } from '#api/docker/stats.ts';
import { zeroTime } from '#api/docker/common.ts';
import { isoTime } from '#lib/clock.ts';
import type { ContainerContext } from './context.ts';
import type { ContainerRecord } from './record.ts';
import { isAlive } from './record.ts';

const sampleMs = 1000;
/** Nanoseconds of one tick of /proc/stat (USER_HZ is 100). */
const tickNanos = 10_000_000;

const emptyCpu: CpuStats = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
};

export async function* statsOf(context: ContainerContext, record: ContainerRecord, options: { stream: boolean; oneShot: boolean }, signal: AbortSignal): AsyncGenerator<StatsResponse> {
  let before: StatsResponse | undefined;
  if (!options.stream && !options.oneShot) {
    before = await sample(context, record.id, undefined);
    if (before?.read !== zeroTime) await context.clock.sleep(sampleMs, signal);
  }
  for (;;) {
    const now = await sample(context, record.id, before);
    if (!now) return;
    yield now;
    if (!options.stream) return;
    before = now;
    try {
      await context.clock.sleep(sampleMs, signal);
    } catch {
      return;
    }
  }
}

/** Undefined where the container is gone; without numbers where it does not run. */
async function sample(context: ContainerContext, id: string, before: StatsResponse | undefined): Promise<StatsResponse | undefined> {
  const record = context.set.get(id);
  if (!record) return undefined;
  const usage = isAlive(record) && context.containers.get(id) ? context.containers.usage(id) : undefined;
  const base: StatsResponse = {
    id,
    name: `/${record.name}`,
    read: usage ? isoTime(context.clock.now()) : zeroTime,
    preread: before?.read ?? zeroTime,
    pids_stats: {},
    blkio_stats: { io_service_bytes_recursive: null },
    num_procs: 0,
    storage_stats: {},
    cpu_stats: emptyCpu,
    precpu_stats: before?.cpu_stats ?? emptyCpu,
    memory_stats: {},
  };
  if (!usage) return base;
  return {
    ...base,
    pids_stats: { current: usage.pids, ...(usage.pidsLimit === undefined ? {} : { limit: usage.pidsLimit }) },
    blkio_stats: { io_service_bytes_recursive: usage.blockIo },
    cpu_stats: {
      cpu_usage: { total_usage: Number(usage.cpuNanos), usage_in_kernelmode: Number(usage.cpuSystemNanos), usage_in_usermode: Number(usage.cpuUserNanos) },
      system_cpu_usage: await systemCpu(),
      online_cpus: cpus().length,
      throttling_data: { periods: usage.throttling.periods, throttled_periods: usage.throttling.throttledPeriods, throttled_time: Number(usage.throttling.throttledNanos) },
    },
    memory_stats: {
      usage: usage.memoryBytes,
      limit: usage.memoryLimit ?? totalmem(),
      // v1 clients subtract `total_inactive_file`, v2 ones `inactive_file`
      stats: { ...usage.memoryStats, inactive_file: usage.memoryInactiveFile, total_inactive_file: usage.memoryInactiveFile },
    },
    networks: await networkStats(record),
  };
}

/** Nanoseconds that all CPUs of the host spent. */
async function systemCpu(): Promise<number> {
  const line = (await readFile('/proc/stat', 'utf8')).split('\n', 1)[0] ?? '';
  const ticks = line.trim().split(/\s+/).slice(1, 8).map(Number);
  return ticks.reduce((sum, n) => sum + n, 0) * tickNanos;
}

async function networkStats(record: ContainerRecord): Promise<Record<string, NetworkStats>> {
  if (record.hostConfig.NetworkMode === 'host') return {};
  const text = await readFile(`/proc/${record.state.pid}/net/dev`, 'utf8').catch(() => '');
  return parseNetDev(text);
}

export function parseNetDev(text: string): Record<string, NetworkStats> {
  const result: Record<string, NetworkStats> = {};
  for (const line of text.split('\n').slice(2)) {
    const match = /^\s*([^:]+):\s*(.+)$/.exec(line);
    if (!match || match[1] === 'lo') continue;
    const n = (match[2] ?? '').trim().split(/\s+/).map(Number);
    const at = (i: number): number => n[i] ?? 0;
    result[match[1] ?? ''] = {
      rx_bytes: at(0), rx_packets: at(1), rx_errors: at(2), rx_dropped: at(3),
      tx_bytes: at(8), tx_packets: at(9), tx_errors: at(10), tx_dropped: at(11),
    };
  }
  return result;
}
