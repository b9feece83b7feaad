/** When a container starts again by itself. Pure. */
import type { RestartPolicy } from '#api/docker/host-config.ts';

/** Milliseconds: the first wait, the longest, and a run so long that waits begin anew. */
const firstDelay = 100;
const longestDelay = 60_000;
const steadyRun = 10_000;

export interface RestartInput {
  policy: RestartPolicy | undefined;
  exitCode: number;
  manuallyStopped: boolean;
  restartCount: number;
  /** How long the run was, and the wait before it. */
  ranMs: number;
  lastDelay: number;
}

/** The wait in milliseconds before the next run, or undefined where there is none. */
export function restartDelay(input: RestartInput): number | undefined {
  if (input.manuallyStopped || !wants(input)) return undefined;
  if (input.lastDelay === 0 || input.ranMs >= steadyRun) return firstDelay;
  return Math.min(longestDelay, input.lastDelay * 2);
}

function wants({ policy, exitCode, restartCount }: Pick<RestartInput, 'policy' | 'exitCode' | 'restartCount'>): boolean {
  switch (policy?.Name) {
    case 'always':
    case 'unless-stopped':
      return true;
    case 'on-failure':
      return exitCode !== 0 && (!policy.MaximumRetryCount || restartCount < policy.MaximumRetryCount);
    default:
      return false;
  }
}

/** Whether the engine, when it starts, starts a container that does not run. */
export function startsWithEngine(input: Pick<RestartInput, 'policy' | 'exitCode' | 'restartCount' | 'manuallyStopped'> & { everStarted: boolean }): boolean {
  if (!input.everStarted) return false;
  switch (input.policy?.Name) {
    case 'always':
      return true;
    case 'unless-stopped':
      return !input.manuallyStopped;
    case 'on-failure':
      return !input.manuallyStopped && wants(input);
    default:
      return false;
  }
}
