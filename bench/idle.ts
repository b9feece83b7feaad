/** What an engine takes of the machine while nobody asks anything of it. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Peer } from './peer.ts';

export interface Idle {
  processes: number;
  /** MiB resident, its processes added up: pages that they share count in each. */
  residentMiB: number;
  /** Percent of one core. */
  cpuPercent: number;
}

const seconds = 10;
/** USER_HZ: Linux gives every program 100. */
const ticksPerSecond = 100;

export async function measureIdle(peer: Peer): Promise<Idle> {
  const pids = peer.pids();
  const before = pids.map(ticks);
  await sleep(seconds * 1000);
  const used = pids.map(ticks).reduce((sum, now, i) => sum + now - (before[i] ?? now), 0);
  const resident = pids.map(residentKiB).reduce((a, b) => a + b, 0);
  return { processes: pids.length, residentMiB: Math.round(resident / 1024), cpuPercent: Math.round(((used / ticksPerSecond) * 1000) / seconds) / 10 };
}

/** User and system time of a process, in ticks: fields 14 and 15 (proc_pid_stat(5)), the name in parentheses left out. */
function ticks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

function residentKiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
}
