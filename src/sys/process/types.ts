/** Processes: the one home of `child_process`. On a hot path only conmon and the OCI runtime are spawned. */
import type { Readable, Writable } from 'node:stream';

export interface Processes {
  /** Starts a program; its failure to start rejects `exited` with a `Fault`. */
  spawn(file: string, args: readonly string[], options?: SpawnOptions): Child;
  /** Runs a program to its end; output beyond `limitBytes` (default 1 MiB) ends it with `too-large`. A non-zero status resolves. */
  run(file: string, args: readonly string[], options?: SpawnOptions & { input?: string | Uint8Array; limitBytes?: number; timeoutMs?: number }): Promise<RunResult>;
  /** Sends a signal; a process that is gone: `not-found`. */
  kill(pid: number, signal: number): void;
  /** Resolves when the process, any process, has ended (pidfd). */
  ended(pid: number, signal?: AbortSignal): Promise<void>;
  alive(pid: number): boolean;
  /** When the process began, in clock ticks since boot: with the pid, an identity. Undefined if it is gone. */
  startTime(pid: number): bigint | undefined;
  setOomScoreAdj(pid: number, value: number): void;
  /**
   * A path by which the program of `file` can be started as long as this process lives: a copy in memory that nobody can
   * change, or `file` itself where the kernel makes none. An OCI runtime copies itself at each call, so that no container
   * reaches the host's file, and starts again from the copy; it finds that this one need not be copied.
   */
  sealedCopy(file: string): string;
}

export interface SpawnOptions {
  cwd?: string;
  /** The whole environment; default: PATH alone. */
  env?: Readonly<Record<string, string>>;
  /**
   * Descriptors of the child from 0 up; default: all `ignore`. `pipe` goes both ways (a pair of sockets); `in` and `out`,
   * of a light child alone, are pipes that it reads or writes, as a shell makes them: they can be opened again by a path
   * like /dev/stdout.
   */
  stdio?: readonly ('pipe' | 'in' | 'out' | 'ignore' | 'inherit' | number)[];
  /** In a session of its own, and not ended with this process. */
  detached?: boolean;
  /** Without a copy of this process (see light.ts): `file` is an absolute path, `stdio` has no numbers and no `inherit`, `unref` does nothing. */
  light?: boolean;
}

export interface Child {
  pid: number | undefined;
  /** The parent's ends of pipes, by descriptor. */
  stdio: readonly (Readable | Writable | null)[];
  exited: Promise<{ code: number | null; signal: string | null }>;
  unref(): void;
}

export interface RunResult {
  code: number | null;
  signal: string | null;
  stdout: Buffer;
  stderr: Buffer;
}
