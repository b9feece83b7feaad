import type { Clock } from '#lib/clock.ts';
import { Fault, isFault } from '#lib/errors.ts';
import type { Readable, Writable } from 'node:stream';
import { faulting } from '../errno.ts';
import type { Child, RunResult } from './types.ts';

export interface CollectOptions {
  what: string;
  clock: Clock;
  input: string | Uint8Array | undefined;
  /** Of stdout and stderr together, in bytes. */
  limitBytes: number;
  timeoutMs: number | undefined;
}

/** Feeds a child and gathers what it says on its second and third descriptor, to its end. */
export async function collect(child: Child, options: CollectOptions): Promise<RunResult> {
  const [stdin, stdout, stderr] = child.stdio as [Writable | null, Readable, Readable];
  let fault: Fault | undefined;
  let size = 0;
  let over = false;
  const stop = (why: Fault): void => {
    fault ??= why;
    if (!over) end(child, options.what);
    // A grandchild may hold the pipes open: its output is not waited for.
    stdout.destroy();
    stderr.destroy();
  };
  const gather = (stream: Readable): { chunks: Buffer[]; closed: Promise<void> } => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > options.limitBytes) stop(new Fault('too-large', `${options.what} wrote more than ${options.limitBytes} bytes`));
      else chunks.push(chunk);
    });
    stream.on('error', () => {});
    return { chunks, closed: new Promise((resolve) => stream.once('close', resolve)) };
  };
  const timer = options.timeoutMs === undefined ? undefined : options.clock.after(options.timeoutMs, () => stop(new Fault('timeout', `${options.what} did not end within ${options.timeoutMs} ms`)));
  const [out, err] = [gather(stdout), gather(stderr)];
  // A program that ends without reading all of its input is no failure of ours.
  stdin?.on('error', () => {});
  stdin?.end(options.input);
  try {
    const status = await child.exited;
    over = true;
    await Promise.all([out.closed, err.closed]);
    if (fault) throw fault;
    return { ...status, stdout: Buffer.concat(out.chunks), stderr: Buffer.concat(err.chunks) };
  } finally {
    timer?.cancel();
    stdin?.destroy();
  }
}

/** It may have ended a moment ago. */
function end(child: Child, what: string): void {
  const { pid } = child;
  if (pid === undefined) return;
  try {
    faulting(`end ${what}`, () => process.kill(pid, 'SIGKILL'));
  } catch (error) {
    if (!isFault(error, 'not-found')) throw error;
  }
}
