/** What processes take of the machine, from /proc. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** USER_HZ: Linux gives every program 100. */
const ticksPerSecond = 100;

/** MiB resident (VmRSS), added up: pages that processes share count in each. */
export function residentMiB(pids: readonly number[]): number {
  return sum(pids.map((pid) => kib(`/proc/${pid}/status`, 'VmRSS'))) / 1024;
}

/** MiB (Pss), added up: pages that are shared count by their share. */
export function proportionalMiB(pids: readonly number[]): number {
  return sum(pids.map((pid) => kib(`/proc/${pid}/smaps_rollup`, 'Pss'))) / 1024;
}

/** Percent of one core that they use over so many seconds. */
export async function cpuPercent(pids: readonly number[], seconds: number): Promise<number> {
  const before = sum(pids.map(ticks));
  await sleep(seconds * 1000);
  return ((sum(pids.map(ticks)) - before) / ticksPerSecond / seconds) * 100;
}

/** Pids of processes whose command line (arguments parted by blanks) matches. */
export function processesLike(pattern: RegExp): number[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && pattern.test(commandLine(pid)))
    .map(Number);
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

/** User and system time of a process, in ticks: fields 14 and 15 (proc_pid_stat(5)), the name in parentheses left out. */
function ticks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

function kib(path: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync(path, 'utf8'))?.[1] ?? 0);
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
