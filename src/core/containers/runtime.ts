/** The OCI runtime's own command line, where conmon does not call it, and its error texts in Docker's words. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '#lib/errors.ts';
import type { Processes } from '#sys/process/types.ts';
import type { ConmonPaths } from './conmon/spawn.ts';

export interface Runtime {
  start(id: string): Promise<void>;
  /** Deletes the state, killing what is left; absent is fine. */
  delete(id: string): Promise<void>;
  /** `created`, `running`, `stopped`, …; undefined where the runtime does not know it. */
  state(id: string): Promise<string | undefined>;
  /** Whether a container that it made was let go, also where it has ended since. */
  wasStarted(id: string): boolean;
  /** Ids that it knows. */
  list(): Promise<string[]>;
}

/** How long one call may take, in milliseconds. */
const callTimeoutMs = 60_000;

export function openRuntime(processes: Processes, paths: ConmonPaths): Runtime {
  const run = async (...args: string[]) => {
    const result = await processes.run(paths.runtime, [`--root=${paths.runtimeRoot}`, ...args], { timeoutMs: callTimeoutMs });
    return { ok: result.code === 0, stdout: result.stdout.toString(), stderr: result.stderr.toString().trim() };
  };
  return {
    async start(id) {
      const result = await run('start', id);
      if (!result.ok) throw createFailure(result.stderr, '');
    },
    async delete(id) {
      const result = await run('delete', '--force', id);
      if (!result.ok && !/does not exist|No such file|not found/i.test(result.stderr)) {
        throw new Fault('internal', `the runtime could not delete container ${id}: ${result.stderr}`);
      }
    },
    async state(id) {
      const result = await run('state', id);
      return result.ok ? (JSON.parse(result.stdout) as { status?: string }).status : undefined;
    },
    wasStarted(id) {
      // the process waits at a FIFO, which whoever starts it takes away
      const state = join(paths.runtimeRoot, id);
      return existsSync(state) && !existsSync(join(state, 'exec.fifo'));
    },
    async list() {
      const result = await run('list', '-q');
      return result.ok ? result.stdout.split('\n').filter((line) => line !== '') : [];
    },
  };
}

/**
 * What made `create` or `exec` fail, in the words that Docker's clients look for (they choose 126 or 127 by
 * them). `command` is the program that was to run.
 */
export function createFailure(text: string, command: string, step: 'create' | 'exec' = 'create'): Fault {
  const told = text.trim();
  const lower = told.toLowerCase();
  const start = (why: string): string => `OCI runtime ${step} failed: ${step === 'create' ? 'unable to start container process' : 'exec failed'}: ${why}`;
  const exec = `exec: ${JSON.stringify(command)}`;
  const refuse = (exitCode: number, why: string): Fault => new Fault('invalid', start(why), { cause: new Error(told), details: { exitCode } });
  const missing = /executable file [`'"]([^`'"]*)[`'"] not found/i.exec(told);
  if (missing) {
    const named = `exec: ${JSON.stringify(missing[1] || command)}`;
    return refuse(127, command.includes('/') ? `${named}: stat ${command}: no such file or directory` : `${named}: executable file not found in $PATH`);
  }
  if (/open executable|exec(ve)?\b|executable/.test(lower)) {
    if (lower.includes('permission denied')) return refuse(126, `${exec}: permission denied`);
    if (lower.includes('not a directory')) return refuse(126, `${exec}: not a directory`);
    // crun finds a directory that is no program to be "not permitted".
    if (lower.includes('is a directory') || lower.includes('operation not permitted')) return refuse(126, `${exec}: is a directory`);
    if (lower.includes('no such file')) return refuse(127, `${exec}: no such file or directory`);
    if (lower.includes('exec format error')) return refuse(126, `${exec}: exec format error`);
  }
  if (lower.startsWith('chdir') && lower.includes('no such file')) return refuse(127, told);
  if (lower.startsWith('chdir') && /permission denied|not a directory/.test(lower)) return refuse(126, told);
  return new Fault('internal', start(told === '' ? 'the runtime gave no reason' : told), { details: { exitCode: 128 } });
}
