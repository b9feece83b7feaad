/** Signals to the processes of a container, and the end of one that nobody watches any more. */
import { isFault } from '#lib/errors.ts';
import type { Kernel } from '#sys/types.ts';
import { writeExit } from './bundle.ts';
import { sigkill } from './conmon/spawn.ts';
import type { ContainerParts } from './parts.ts';
import type { Entry } from './entries.ts';

/** The code of a container whose end nobody saw: it ended with its supervisor, or the host went down. */
const lostCode = 255;
/** Of one that SIGKILL ended. */
const killedCode = 128 + sigkill;

/** False where the process is gone (its pid may be another's by now). */
export function signalMain({ processes }: Pick<Kernel, 'processes'>, entry: Entry, signal: number): boolean {
  const { pid, startTime } = entry.supervision!;
  if (processes.startTime(pid) !== startTime) return false;
  return tolerateGone(() => processes.kill(pid, signal));
}

export function signalAll({ cgroups, processes }: Pick<Kernel, 'cgroups' | 'processes'>, cgroup: string, signal: number): void {
  for (const pid of cgroups.processes(cgroup)) tolerateGone(() => processes.kill(pid, signal));
}

/** The supervisor is gone without a word, so nobody sees what the container does: it ends. Gives the code that it ends with. */
export async function endUnseen({ kernel, log }: Pick<ContainerParts, 'kernel' | 'log'>, entry: Entry, closing: AbortSignal): Promise<number> {
  const { id, cgroup, paused } = entry.record;
  const isAlive = signalMain(kernel, entry, sigkill);
  log.warn(isAlive ? 'the supervisor of a container is gone: the container is killed' : 'the end of a container was not seen', { id });
  signalAll(kernel, cgroup, sigkill);
  if (paused) await kernel.cgroups.freeze(cgroup, false);
  // nobody else knows how it ended, if the daemon's own end comes before that is recorded
  if (isAlive) writeExit(entry.bundle, killedCode);
  if (isAlive) await kernel.processes.ended(entry.supervision!.pid, closing);
  return isAlive ? killedCode : lostCode;
}

function tolerateGone(kill: () => void): boolean {
  try {
    kill();
    return true;
  } catch (error) {
    if (isFault(error, 'not-found')) return false;
    throw error;
  }
}
