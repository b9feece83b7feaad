/**
 * An exec over pipes, supervised by the runtime that started it. `crun exec` reads the process from a descriptor, says the pid
 * on another as soon as the program has begun, waits for its end and ends with its status. Where the program cannot begin,
 * it says no pid, and why on standard error, which is read only after the one or the other.
 */
import type { Readable, Writable } from 'node:stream';
import type { RuntimeProcess } from '#api/oci/runtime.ts';
import { Fault } from '#lib/errors.ts';
import type { Child } from '#sys/process/types.ts';
import type { Kernel } from '#sys/types.ts';
import type { ConmonPaths } from './conmon/spawn.ts';
import { PipeStreams } from './pipe-streams.ts';
import { createFailure } from './runtime.ts';
import type { ExecSession } from './types.ts';

/** Where its supervisor was killed, and the end of the process not seen. */
const lostCode = 255;
/** The descriptors on which the runtime says the pid and is told the process. */
const pidDescriptor = 3;
const processDescriptor = 4;

export interface PipedExec {
  /** Of the container. */
  id: string;
  process: RuntimeProcess;
  stdin: boolean;
}

export async function startPiped(kernel: Kernel, paths: ConmonPaths, exec: PipedExec): Promise<ExecSession> {
  const descriptor = (n: number): string => `/proc/self/fd/${n}`;
  const args = [`--root=${paths.runtimeRoot}`, 'exec', '--pid-file', descriptor(pidDescriptor), '--process', descriptor(processDescriptor), exec.id];
  const child = kernel.processes.spawn(paths.runtime, args, { cwd: '/', stdio: [exec.stdin ? 'in' : 'ignore', 'out', 'out', 'out', 'in'], detached: true, light: true });
  const [stdin, stdout, stderr, told, wanted] = child.stdio as [Writable | null, Readable, Readable, Readable, Writable];
  // it may end without having read it
  wanted.on('error', () => {}).end(JSON.stringify(exec.process));
  try {
    const pid = await pidOf(child, told, () => firstText(stderr), exec.process.args[0]!);
    const streams = new PipeStreams(stdin, { stdout, stderr });
    const exited = child.exited
      .then(async ({ code }) => {
        await streams.drain();
        return { code: code ?? lostCode };
      })
      .finally(() => told.destroy());
    let over = false;
    void exited.then(() => (over = true));
    return {
      pid,
      streams,
      exited,
      resize: () => Promise.reject(new Fault('conflict', 'the process has no terminal')),
      kill: async (signal) => {
        if (over) throw new Fault('not-found', `process ${pid} has ended`);
        kernel.processes.kill(pid, signal);
      },
    };
  } catch (error) {
    for (const stream of child.stdio) stream?.destroy();
    throw error;
  }
}

/** The pid of the program that has begun. */
async function pidOf(child: Child, told: Readable, why: () => Promise<string>, command: string): Promise<number> {
  const said = firstText(told);
  const text = await Promise.race([said, child.exited.then(() => said)]);
  if (text !== '') return Number(text);
  await child.exited;
  throw createFailure(await why(), command, 'exec');
}

/** What the stream has first; nothing if it ends before. */
function firstText(stream: Readable): Promise<string> {
  return new Promise((resolve) => {
    stream.once('data', (data: Buffer) => {
      stream.pause();
      resolve(data.toString());
    });
    for (const event of ['end', 'close', 'error']) stream.once(event, () => resolve(''));
  });
}
