/** Starts conmon, for a container or an exec, and reads what it reports through its sync pipe. */
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { Fault } from '#lib/errors.ts';
import type { Child, Processes } from '#sys/process/types.ts';
import type { Bundle } from '../bundle.ts';
import { LineReader } from './lines.ts';

export interface ConmonPaths {
  conmon: string;
  runtime: string;
  runtimeRoot: string;
}

export interface ConmonOptions {
  id: string;
  bundle: Bundle;
  terminal: boolean;
  stdin: boolean;
  leaveStdinOpen: boolean;
  logPath: string | undefined;
  /** For an exec: the OCI process file, and whether a client attaches first. */
  exec?: { processFile: string; attach: boolean };
}

/** A line of the sync pipe. */
export interface SyncMessage {
  data: number;
  message?: string;
}

export interface Conmon {
  sync: LineReader;
  /** Present for an exec with attach: says when the attach socket listens. */
  attach?: LineReader;
  /** Lets it go on: once to begin, once more for an exec whose client has attached. */
  proceed(): void;
  /** conmon has forked itself away, its pid file is written. Rejects if it could not start. */
  forked: Promise<void>;
  /** What it printed before it forked. */
  errors(): string;
  /** Closes the pipes. */
  release(): void;
}

export function spawnConmon(processes: Processes, paths: ConmonPaths, options: ConmonOptions): Conmon {
  const attached = options.exec?.attach ?? false;
  const env: Record<string, string> = { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', _OCI_SYNCPIPE: '3', _OCI_STARTPIPE: '4' };
  if (attached) env['_OCI_ATTACHPIPE'] = '5';
  const stdio: ('pipe' | 'ignore')[] = ['ignore', 'ignore', 'pipe', 'pipe', 'pipe', ...(attached ? (['pipe'] as const) : [])];
  // In the bundle, because conmon leaves its mark of an OOM kill in its working directory.
  const child = processes.spawn(paths.conmon, conmonArgs(paths, options), { cwd: options.bundle.directory, env, stdio, detached: true, light: true });
  const start = child.stdio[4] as Writable;
  start.on('error', () => {});
  let printed = '';
  const stderr = child.stdio[2] as Readable;
  stderr.on('error', () => {});
  stderr.setEncoding('utf8').on('data', (text: string) => {
    if (printed.length < 8192) printed += text;
  });
  const sync = new LineReader(child.stdio[3] as Readable);
  const attach = attached ? new LineReader(child.stdio[5] as Readable) : undefined;
  return {
    sync,
    ...(attached ? { attach } : {}),
    proceed: () => void start.write('\0'),
    forked: forkedOf(child, () => printed),
    errors: () => printed.trim(),
    release: () => {
      for (const stream of child.stdio) stream?.destroy();
    },
  };
}

async function forkedOf(child: Child, printed: () => string): Promise<void> {
  const { code } = await child.exited;
  if (code !== 0) throw new Fault('internal', `conmon could not start: ${printed().trim() || `it ended with status ${code}`}`);
}

function conmonArgs(paths: ConmonPaths, options: ConmonOptions): string[] {
  const { bundle, id } = options;
  const args = ['--api-version', '1', '-c', id, '-u', id, '-n', id, '-r', paths.runtime, `--runtime-arg=--root=${paths.runtimeRoot}`];
  args.push('-b', bundle.directory, '-p', bundle.pidFile, '-P', bundle.conmonPidFile, '--persist-dir', bundle.directory);
  args.push('--full-attach', '--no-sync-log', '-l', options.logPath === undefined ? 'none' : `k8s-file:${options.logPath}`);
  if (options.terminal) args.push('-t');
  if (options.stdin) args.push('-i');
  if (options.stdin && options.leaveStdinOpen) args.push('--leave-stdin-open');
  if (options.exec) args.push('-e', '--exec-process-spec', options.exec.processFile);
  if (options.exec?.attach) args.push('--exec-attach');
  return args;
}

/** Parses a line of the sync pipe; anything else than what conmon writes is an internal fault. */
export function parseSync(line: string): SyncMessage {
  const value = JSON.parse(line) as Partial<SyncMessage>;
  if (typeof value.data !== 'number') throw new Fault('internal', `conmon reported ${line.slice(0, 200)}`);
  return value.message === undefined ? { data: value.data } : { data: value.data, message: value.message };
}

export const sigkill = constants.signals.SIGKILL;
