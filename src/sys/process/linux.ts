import type { Clock } from '#lib/clock.ts';
import { systemClock } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import type { ChildProcess } from 'node:child_process';
import { spawn as nodeSpawn } from 'node:child_process';
import { closeSync, readFileSync, writeFileSync } from 'node:fs';
import { EPOLLIN } from '../epoll/events.ts';
import type { Poller } from '../epoll/poller.ts';
import { sharedPoller } from '../epoll/poller.ts';
import { errnoFault, errnoOf, faulting, nodeFault } from '../errno.ts';
import { lastErrno, libc } from '../libc.ts';
import { collect } from './collect.ts';
import { startLight } from './light.ts';
import { sealedCopy } from './sealed.ts';
import { parseStat } from './stat.ts';
import type { Child, Processes, RunResult, SpawnOptions } from './types.ts';

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function linuxProcesses(poller: Poller = sharedPoller(), clock: Clock = systemClock): Processes {
  return {
    spawn: (file, args, options) => (options?.light ? light(poller, file, args, options) : childOf(start(file, args, options), file)),
    run: (file, args, options) => run(poller, clock, file, args, options),
    kill,
    ended: (pid, signal) => ended(poller, pid, signal),
    alive: (pid) => {
      const state = stat(pid)?.state;
      return state !== undefined && state !== 'Z' && state !== 'X';
    },
    startTime: (pid) => stat(pid)?.startTime,
    setOomScoreAdj: (pid, value) => {
      const what = `set oom_score_adj of process ${pid} to ${value}`;
      if (!Number.isInteger(value) || value < -1000 || value > 1000) throw new Fault('invalid', `${what}: give -1000 to 1000`);
      faulting(what, () => writeFileSync(`/proc/${pid}/oom_score_adj`, String(value)));
    },
    sealedCopy,
  };
}

let sealed = false;

/**
 * What this process inherited from its own parent is not for its children. (Descriptors that Node and this
 * room make are close-on-exec from the start; those of a child's `stdio` are duplicated, which clears it.)
 */
function sealInherited(): void {
  const CLOSE_RANGE_CLOEXEC = 4;
  if (!sealed) libc().closeRange(3, 0xffffffff, CLOSE_RANGE_CLOEXEC);
  sealed = true;
}

function start(file: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
  sealInherited();
  return faulting(`start ${file}`, () =>
    nodeSpawn(file, args, {
      cwd: options.cwd,
      env: options.env ?? defaultEnv(),
      stdio: options.stdio ? options.stdio.map((kind) => heavy(kind, file)) : 'ignore',
      detached: options.detached ?? false,
    }),
  );
}

function heavy(kind: NonNullable<SpawnOptions['stdio']>[number], file: string): 'pipe' | 'ignore' | 'inherit' | number {
  if (kind === 'in' || kind === 'out') throw new Fault('invalid', `start ${file}: only a light child has pipes of one way`);
  return kind;
}

function light(poller: Poller, file: string, args: readonly string[], options: SpawnOptions): Child {
  sealInherited();
  const stdio = (options.stdio ?? ['ignore', 'ignore', 'ignore']).map((kind) => {
    if (typeof kind === 'number' || kind === 'inherit') throw new Fault('invalid', `start ${file}: a light child's descriptors are pipes or nothing`);
    return kind;
  });
  return startLight(poller, file, args, { cwd: options.cwd, env: options.env ?? defaultEnv(), stdio, detached: options.detached ?? false });
}

function defaultEnv(): Record<string, string> {
  return { PATH: process.env['PATH'] ?? defaultPath };
}

function childOf(child: ChildProcess, file: string): Child {
  const exited = new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
    child.once('error', (error) => reject(nodeFault(error, `start ${file}`) as Error));
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  // Who asks hears of it; a caller that never asks must not end the daemon.
  exited.catch(() => {});
  return { pid: child.pid, stdio: child.stdio.map((stream) => stream ?? null), exited, unref: () => unref(child) };
}

/** Lets this process end before the child and before the pipes to it close. */
function unref(child: ChildProcess): void {
  child.unref();
  for (const stream of child.stdio) {
    if (stream && 'unref' in stream && typeof stream.unref === 'function') stream.unref();
  }
}

async function run(poller: Poller, clock: Clock, file: string, args: readonly string[], options: Parameters<Processes['run']>[2] = {}): Promise<RunResult> {
  const { input, limitBytes = 1 << 20, timeoutMs, ...rest } = options;
  const whole: SpawnOptions = { ...rest, stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] };
  const child = file.startsWith('/') ? light(poller, file, args, whole) : childOf(start(file, args, whole), file);
  return collect(child, { what: file, clock, input, limitBytes, timeoutMs });
}

function kill(pid: number, signal: number): void {
  // 0 and -1 would reach this process's group and every process of the machine.
  if (!Number.isInteger(pid) || pid === 0 || pid === -1) throw new Fault('invalid', `${pid} is not a process that can be signalled`);
  faulting(`send signal ${signal} to process ${pid}`, () => process.kill(pid, signal));
}

async function ended(poller: Poller, pid: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  const fd = libc().pidfdOpen(pid, 0); // close-on-exec by itself
  if (fd < 0) {
    const fault = errnoFault(lastErrno(), `watch process ${pid}`);
    if (errnoOf(fault) === 'ESRCH') return;
    throw fault;
  }
  try {
    await poller.ready(fd, EPOLLIN, signal);
  } finally {
    closeSync(fd);
  }
}

function stat(pid: number): ReturnType<typeof parseStat> {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return undefined;
  }
}
