/** Writers as processes. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedStore, type Durability } from '#core/store/embedded/store.ts';
import type { Store } from '#core/store/types.ts';
import { VirtualClock } from '#lib/clock-virtual.ts';
import { silentLogger } from '#lib/log.ts';
import type { Assignment } from './writer.ts';

/** Where files are kept: memory, where it is there. Whatever is killed here, it is not this machine. */
export const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** A writer that waits for its assignment: one starts while another writes. It keeps its compiled code in `place`. */
export function startWriter(place: string): ChildProcess {
  const environment = { ...process.env, NODE_COMPILE_CACHE: join(place, 'compiled') };
  return spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'writer.ts')], { stdio: ['pipe', 'pipe', 'inherit'], env: environment });
}

export function assign(writer: ChildProcess, assignment: Assignment): void {
  writer.stdin?.write(`${JSON.stringify(assignment)}\n`);
}

/** Opens the store that was left, has it looked at, and closes it. */
export async function lookAt<T>(directory: string, durability: Durability, look: (store: Store) => Promise<T>): Promise<T> {
  const store = await openEmbeddedStore({ directory, durability, clock: new VirtualClock(), log: silentLogger });
  try {
    return await look(store);
  } finally {
    await store.close();
  }
}

/** Says of a failure how to see it again. */
export async function naming<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new Error(`${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
