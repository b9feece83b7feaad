import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { nodeFault } from '../errno.ts';
import type { RunResult } from './types.ts';

export interface CollectOptions {
  what: string;
  clock: Clock;
  input: string | Uint8Array | undefined;
  /** Of stdout and stderr together, in bytes. */
  limitBytes: number;
  timeoutMs: number | undefined;
}

/** Feeds a child and gathers what it says, to its end. */
export function collect(child: ChildProcess, options: CollectOptions): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    let fault: Error | undefined;
    let size = 0;
    const stop = (why: Fault): void => {
      fault ??= why;
      child.kill('SIGKILL');
      // A grandchild may hold the pipes open: its output is not waited for.
      child.stdout?.destroy();
      child.stderr?.destroy();
    };
    const timer = options.timeoutMs === undefined ? undefined : options.clock.after(options.timeoutMs, () => stop(new Fault('timeout', `${options.what} did not end within ${options.timeoutMs} ms`)));
    const gather = (stream: Readable | null): Buffer[] => {
      const chunks: Buffer[] = [];
      stream?.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > options.limitBytes) stop(new Fault('too-large', `${options.what} wrote more than ${options.limitBytes} bytes`));
        else chunks.push(chunk);
      });
      return chunks;
    };
    const stdout = gather(child.stdout);
    const stderr = gather(child.stderr);
    child.once('error', (error) => {
      timer?.cancel();
      reject(nodeFault(error, `start ${options.what}`) as Error);
    });
    child.once('close', (code, signal) => {
      timer?.cancel();
      if (fault) reject(fault);
      else resolve({ code, signal, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr) });
    });
    // A program that ends without reading all of its input is no failure of ours.
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input);
  });
}
