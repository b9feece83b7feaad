import { readdirSync, readFileSync } from 'node:fs';
import type { Clock } from '#lib/clock.ts';
import { isFault } from '#lib/errors.ts';
import type { Processes } from '#sys/process/types.ts';

const SIGTERM = 15;
const SIGKILL = 9;
/** Milliseconds for a process of Gantry's to close its doors after SIGTERM, before SIGKILL. */
const closeMs = 15_000;

/** Ends a daemon or an agent, and waits until it is gone. */
export async function endProcess(pid: number, processes: Processes, clock: Clock): Promise<void> {
  signal(processes, pid, SIGTERM);
  await untilGone([pid], processes, clock, closeMs);
  signal(processes, pid, SIGKILL);
  await processes.ended(pid);
}

/** A process that is gone has heard it. */
export function signal(processes: Processes, pid: number, number: number): void {
  try {
    processes.kill(pid, number);
  } catch (error) {
    if (!isFault(error, 'not-found')) throw error;
  }
}

export async function untilGone(pids: readonly number[], processes: Processes, clock: Clock, limitMs: number): Promise<void> {
  const limit = new AbortController();
  const timer = clock.after(limitMs, () => limit.abort());
  await Promise.allSettled(pids.map((pid) => processes.ended(pid, limit.signal)));
  timer.cancel();
}

/** The processes whose command line is so. */
export function processesWhere(test: (words: readonly string[]) => boolean): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => test(readOr(`/proc/${pid}/cmdline`).split('\0')));
}

/** Agents of nodes below a directory, ready or still starting. */
export function agentsBelow(directory: string): number[] {
  return processesWhere((words) => {
    const at = words.indexOf('agent');
    return at > 0 && words[at + 1] === '--root' && `${words[at + 2]}/`.startsWith(`${directory}/`);
  });
}

export function readOr(path: string, otherwise = ''): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise; // it is not there, or has ended meanwhile
  }
}
