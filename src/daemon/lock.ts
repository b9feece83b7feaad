import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { codeOf, Fault } from '#lib/errors.ts';
import type { Processes } from '#sys/process/types.ts';

/**
 * At most one process works on a root: a daemon, or a `down`. The lock is a socket in the kernel's abstract name space: it
 * is held as long as the process lives, however it ends, and leaves no socket file. `run/lock.json` says who has it.
 * Fault `conflict` where another holds it.
 */
export async function lockRoot(root: string, instance: string, processes: Processes): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      const taken = codeOf(error) === 'EADDRINUSE';
      reject(taken ? new Fault('conflict', `another daemon works on ${root}, or is just starting or ending: ask ./gantry status`) : error);
    });
    server.listen(`\0gantry-${instance}`, () => resolve());
  });
  const path = join(root, 'run', 'lock.json');
  writeFileSync(`${path}.new`, JSON.stringify({ pid: process.pid, startTime: String(processes.startTime(process.pid)) }));
  renameSync(`${path}.new`, path);
  return server.unref();
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
