import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf, Fault, isFault } from '#lib/errors.ts';
import type { Processes } from '#sys/process/types.ts';
import type { Kernel } from '#sys/types.ts';

/**
 * At most one process works on a root: a daemon, an agent, or a `down`. The lock is of a file that only root opens, and is held as
 * long as the process lives, however it ends; nobody else can hold it. `run/lock.json` says who has it. Fault `conflict` where
 * another holds it.
 */
export function lockRoot(root: string, { files, processes }: Pick<Kernel, 'files' | 'processes'>): { release(): void } {
  const lock = lockFile(root, files);
  const path = join(root, 'run', 'lock.json');
  writeFileSync(`${path}.new`, JSON.stringify({ pid: process.pid, startTime: String(processes.startTime(process.pid)) }));
  renameSync(`${path}.new`, path);
  return lock;
}

function lockFile(root: string, files: Kernel['files']): { release(): void } {
  try {
    return files.lock(join(root, 'run', 'lock'));
  } catch (error) {
    if (!isFault(error, 'conflict')) throw error;
    throw new Fault('conflict', `another daemon works on ${root}, or is just starting or ending: ask ./gantry status`, { cause: error });
  }
}

/** The process that works on a root, ready or not; undefined where none does. */
export function lockHolder(root: string, processes: Processes): number | undefined {
  try {
    const { pid, startTime } = JSON.parse(readFileSync(join(root, 'run', 'lock.json'), 'utf8')) as { pid: number; startTime: string };
    return processes.alive(pid) && processes.startTime(pid)?.toString() === startTime ? pid : undefined;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '') || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
