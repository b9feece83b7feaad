import { Fault } from '#lib/errors.ts';
import { PassThrough } from 'node:stream';
import type { Child, Processes, RunResult, SpawnOptions } from './types.ts';

/** What a fake program does when it is started. */
export interface FakeProgram {
  pid: number;
  file: string;
  args: readonly string[];
  options: SpawnOptions;
  /** The child's own ends: what is written to `stdio[1]` comes out of the parent's. */
  stdio: (PassThrough | null)[];
  /** Ends it. */
  exit(code: number | null, signal?: string | null): void;
  /** Signals that it got. Without a handler, 9 and 15 end it. */
  onSignal?: (signal: number) => void;
}

export interface FakeProcesses extends Processes {
  /** Programs that were started, as text: `crun create x`. */
  calls: string[];
  /** Those that run. */
  running: Map<number, FakeProgram>;
  oomScores: Map<number, number>;
  /** Starts a process that nobody here spawned. */
  adopt(file: string): FakeProgram;
}

const signalNames: Readonly<Record<number, string>> = { 1: 'SIGHUP', 2: 'SIGINT', 6: 'SIGABRT', 9: 'SIGKILL', 15: 'SIGTERM' };
const firstPid = 1000;

/** Processes in memory: `programs` says what each program does when it is started; one without an entry is not installed. */
export function fakeProcesses(programs: Readonly<Record<string, (program: FakeProgram) => void>> = {}): FakeProcesses {
  const calls: string[] = [];
  const running = new Map<number, FakeProgram>();
  const oomScores = new Map<number, number>();
  const waiting = new Map<number, Set<() => void>>();
  const startTimes = new Map<number, bigint>();
  let nextPid = firstPid;

  const begin = (file: string, args: readonly string[], options: SpawnOptions, onExit: (code: number | null, signal: string | null) => void): { program: FakeProgram; ends: (PassThrough | null)[] } => {
    const pid = nextPid++;
    const kinds = options.stdio ?? ['ignore', 'ignore', 'ignore'];
    const ends = kinds.map((kind) => (kind === 'pipe' ? new PassThrough() : null));
    const program: FakeProgram = {
      pid,
      file,
      args,
      options,
      stdio: ends,
      exit(code, signal = null) {
        if (!running.delete(pid)) return;
        for (const end of ends.slice(1)) end?.end();
        onExit(code, signal);
        for (const wake of waiting.get(pid) ?? []) wake();
        waiting.delete(pid);
      },
    };
    running.set(pid, program);
    startTimes.set(pid, BigInt(pid) * 100n);
    return { program, ends };
  };

  const spawn = (file: string, args: readonly string[], options: SpawnOptions = {}): Child => {
    calls.push([file, ...args].join(' '));
    const act = programs[file];
    if (!act) {
      const exited = Promise.reject(new Fault('not-found', `start ${file}: no such file or directory (ENOENT)`, { details: { errno: 'ENOENT' } }));
      exited.catch(() => {});
      return { pid: undefined, stdio: [], exited, unref: () => {} };
    }
    const { promise, resolve } = Promise.withResolvers<{ code: number | null; signal: string | null }>();
    const { program, ends } = begin(file, args, options, (code, signal) => resolve({ code, signal }));
    queueMicrotask(() => act(program));
    return { pid: program.pid, stdio: ends, exited: promise, unref: () => {} };
  };

  const run = async (file: string, args: readonly string[], options: Parameters<Processes['run']>[2] = {}): Promise<RunResult> => {
    const child = spawn(file, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
    const limit = options.limitBytes ?? 1 << 20;
    const [stdin, ...outputs] = child.stdio as PassThrough[];
    stdin?.end(options.input);
    let size = 0;
    const [stdout, stderr] = outputs.map((stream) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
      });
      return chunks;
    });
    const exit = await child.exited;
    await new Promise((resolve) => setImmediate(resolve));
    if (size > limit) throw new Fault('too-large', `${file} wrote more than ${limit} bytes`);
    return { ...exit, stdout: Buffer.concat(stdout ?? []), stderr: Buffer.concat(stderr ?? []) };
  };

  const need = (pid: number, what: string): FakeProgram => {
    const program = running.get(pid);
    if (!program) throw new Fault('not-found', `${what} process ${pid}: no such process (ESRCH)`, { details: { errno: 'ESRCH' } });
    return program;
  };

  return {
    calls,
    running,
    oomScores,
    adopt: (file) => begin(file, [], {}, () => {}).program,
    spawn,
    run,
    kill(pid, signal) {
      if (!Number.isInteger(pid) || pid === 0 || pid === -1) throw new Fault('invalid', `${pid} is not a process that can be signalled`);
      const program = need(Math.abs(pid), `send signal ${signal} to`);
      if (signal === 0) return;
      calls.push(`kill ${pid} ${signal}`);
      if (program.onSignal && signal !== 9) program.onSignal(signal);
      else if (signalNames[signal] !== undefined) program.exit(null, signalNames[signal]);
    },
    ended: (pid, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason as Error);
        if (!running.has(pid)) return resolve();
        const wakes = waiting.get(pid) ?? new Set();
        waiting.set(pid, wakes.add(resolve));
        signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      }),
    alive: (pid) => running.has(pid),
    startTime: (pid) => (running.has(pid) ? startTimes.get(pid) : undefined),
    setOomScoreAdj(pid, value) {
      need(pid, 'set oom_score_adj of');
      if (!Number.isInteger(value) || value < -1000 || value > 1000) throw new Fault('invalid', `set oom_score_adj of process ${pid} to ${value}: give -1000 to 1000`);
      oomScores.set(pid, value);
    },
  };
}
