import type { Clock } from '#lib/clock.ts';
import { systemClock } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import { PassThrough } from 'node:stream';
import { errnoFault } from '../errno.ts';
import type { Child, Processes, RunResult, SpawnOptions } from './types.ts';

/** What a fake program does when it is started. */
export interface FakeProgram {
  pid: number;
  file: string;
  args: readonly string[];
  options: SpawnOptions;
  /** The pipes by descriptor, which parent and program share: the program reads `stdio[0]` and writes `stdio[1]`. */
  stdio: readonly (PassThrough | null)[];
  /** Ends it. */
  exit(code: number | null, signal?: string | null): void;
  /** Hears of signals. Without it, and for 9, the usual ones end the program. */
  onSignal?: (signal: number) => void;
}

export interface FakeProcesses extends Processes {
  /** Programs that were started and signals that were sent, as text: `crun create x`, `kill 1000 15`. */
  calls: string[];
  /** Those that run. */
  running: Map<number, FakeProgram>;
  oomScores: Map<number, number>;
  /** Starts a process that nobody here spawned. */
  adopt(file: string): FakeProgram;
}

export type FakePrograms = Readonly<Record<string, (program: FakeProgram) => void>>;

const signalNames: Readonly<Record<number, string>> = { 1: 'SIGHUP', 2: 'SIGINT', 6: 'SIGABRT', 9: 'SIGKILL', 15: 'SIGTERM' };
const firstPid = 1000;
const ticksPerStart = 100n;

/** Processes in memory: `programs` says what each program does when it is started; one without an entry is not installed. */
export function fakeProcesses(programs: FakePrograms = {}, clock: Clock = systemClock): FakeProcesses {
  return new Fake(programs, clock);
}

interface Exit {
  code: number | null;
  signal: string | null;
}

class Fake implements FakeProcesses {
  calls: string[] = [];
  running = new Map<number, FakeProgram>();
  oomScores = new Map<number, number>();
  #programs: FakePrograms;
  #clock: Clock;
  #waiting = new Map<number, Set<() => void>>();
  #nextPid = firstPid;

  constructor(programs: FakePrograms, clock: Clock) {
    this.#programs = programs;
    this.#clock = clock;
  }

  adopt(file: string): FakeProgram {
    return this.#begin(file, [], {}, () => {});
  }

  spawn(file: string, args: readonly string[], options: SpawnOptions = {}): Child {
    this.calls.push([file, ...args].join(' '));
    const act = this.#programs[file];
    const { promise, resolve, reject } = Promise.withResolvers<Exit>();
    if (!act) {
      promise.catch(() => {});
      reject(errnoFault('ENOENT', `start ${file}`));
      return { pid: undefined, stdio: [], exited: promise, unref: () => {} };
    }
    const program = this.#begin(file, args, options, resolve);
    queueMicrotask(() => act(program));
    return { pid: program.pid, stdio: program.stdio, exited: promise, unref: () => {} };
  }

  async run(file: string, args: readonly string[], options: Parameters<Processes['run']>[2] = {}): Promise<RunResult> {
    const child = this.spawn(file, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
    const limit = options.limitBytes ?? 1 << 20;
    const [stdin, ...outputs] = child.stdio as PassThrough[];
    stdin?.end(options.input);
    const [stdout = [], stderr = []] = outputs.map((stream) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      return chunks;
    });
    let late = false;
    const { timeoutMs } = options;
    const timer = timeoutMs === undefined ? undefined : this.#clock.after(timeoutMs, () => {
      late = true;
      this.running.get(child.pid ?? 0)?.exit(null, 'SIGKILL');
    });
    const exit = await child.exited.finally(() => timer?.cancel());
    if (late) throw new Fault('timeout', `${file} did not end within ${timeoutMs} ms`);
    await new Promise((resolve) => setImmediate(resolve));
    const result = { ...exit, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr) };
    if (result.stdout.length + result.stderr.length > limit) throw new Fault('too-large', `${file} wrote more than ${limit} bytes`);
    return result;
  }

  kill(pid: number, signal: number): void {
    if (!Number.isInteger(pid) || pid === 0 || pid === -1) throw new Fault('invalid', `${pid} is not a process that can be signalled`);
    const program = this.#need(Math.abs(pid), `send signal ${signal} to process ${pid}`);
    if (signal === 0) return;
    this.calls.push(`kill ${pid} ${signal}`);
    if (program.onSignal && signal !== 9) program.onSignal(signal);
    else if (signalNames[signal] !== undefined) program.exit(null, signalNames[signal]);
  }

  ended(pid: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      if (!this.running.has(pid)) return resolve();
      const wakes = this.#waiting.get(pid) ?? new Set();
      this.#waiting.set(pid, wakes.add(resolve));
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
  }

  alive(pid: number): boolean {
    return this.running.has(pid);
  }

  startTime(pid: number): bigint | undefined {
    return this.running.has(pid) ? BigInt(pid) * ticksPerStart : undefined;
  }

  setOomScoreAdj(pid: number, value: number): void {
    const what = `set oom_score_adj of process ${pid} to ${value}`;
    if (!Number.isInteger(value) || value < -1000 || value > 1000) throw new Fault('invalid', `${what}: give -1000 to 1000`);
    this.#need(pid, what);
    this.oomScores.set(pid, value);
  }

  sealedCopy(file: string): string {
    return file;
  }

  #begin(file: string, args: readonly string[], options: SpawnOptions, ended: (exit: Exit) => void): FakeProgram {
    const pid = this.#nextPid++;
    const stdio = (options.stdio ?? []).map((kind) => (kind === 'pipe' || kind === 'in' || kind === 'out' ? new PassThrough() : null));
    const exit = (code: number | null, signal: string | null = null): void => {
      if (!this.running.delete(pid)) return;
      for (const pipe of stdio.slice(1)) pipe?.end();
      ended({ code, signal });
      for (const wake of this.#waiting.get(pid) ?? []) wake();
      this.#waiting.delete(pid);
    };
    const program: FakeProgram = { pid, file, args, options, stdio, exit };
    this.running.set(pid, program);
    return program;
  }

  #need(pid: number, what: string): FakeProgram {
    const program = this.running.get(pid);
    if (!program) throw errnoFault('ESRCH', what);
    return program;
  }
}
