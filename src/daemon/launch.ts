import { closeSync, openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { StartMessage } from '#api/gantry/status.ts';
import { systemClock } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import type { NetNamespaces } from '#sys/netns/types.ts';
import type { Child, Processes } from '#sys/process/types.ts';

/**
 * What keeps a process that mostly waits small: the young generation of V8's heap, in MiB, which by default keeps four times
 * as much after a busy moment; the collector, so that memory can be given back (rest.ts); and the C library's arenas, one for each
 * thread that allocates. docs/performance.md has figures.
 */
const heapFlags = ['--max-semi-space-size=4', '--expose-gc'];
const heapEnvironment = { MALLOC_ARENA_MAX: '2' };

/** Milliseconds that a start may take: a first start on a slow machine makes certificates and pins namespaces. */
export const startLimitMs = 300_000;

export interface LaunchOptions {
  processes: Processes;
  /** The file of this program: its bundle, or `main.ts`. */
  program: string;
  /** Where its output goes; made where it is missing. */
  log: string;
  /** The path of the network namespace to start it in; this process's own where undefined. */
  within?: { namespaces: NetNamespaces; path: string };
  onStage?: (stage: string) => void;
}

export interface Launched<Ready> {
  pid: number | undefined;
  /** What it says when it is ready; `internal` with its own words where it could not start. */
  ready: Promise<Ready>;
}

/** Starts a part of this program that runs in the background (`daemon`, `agent`), and hears how its start goes on. */
export function launch<Ready>(word: string, flags: readonly string[], options: LaunchOptions): Launched<Ready> {
  const { processes, within } = options;
  const log = openSync(options.log, 'a', 0o600);
  const spawn = (): Child =>
    processes.spawn(process.execPath, [...process.execArgv, ...heapFlags, options.program, word, ...flags], { cwd: '/', env: environment(), stdio: ['ignore', log, log, 'pipe'], detached: true });
  // a child is born in the namespaces of the thread that starts it
  const child = within ? within.namespaces.within(within.path, spawn) : spawn();
  closeSync(log);
  const ready = awaitReady<Ready>(child, word, options).finally(() => child.unref());
  return { pid: child.pid, ready };
}

/** What containers are started with must not depend on the shell that said `up`. */
function environment(): Record<string, string> {
  const kept = ['PATH', 'HOME', 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy', 'NODE_COMPILE_CACHE', 'TZ'];
  return { ...Object.fromEntries(kept.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name] ?? '']]))), ...heapEnvironment };
}

async function awaitReady<Ready>(child: Child, word: string, { log, onStage }: LaunchOptions): Promise<Ready> {
  const messages = child.stdio[3] as Readable;
  const lines = createInterface({ input: messages });
  const timer = systemClock.after(startLimitMs, () => messages.destroy(new Fault('timeout', `the ${word} is not ready after ${startLimitMs / 1000} s; see ${log}`)));
  let stage = 'starting';
  try {
    for await (const line of lines) {
      const message = JSON.parse(line) as StartMessage<Ready>;
      if ('ready' in message) return message.ready;
      if ('error' in message) throw new Fault('internal', `the ${word} could not start (${stage}): ${message.error}`);
      stage = message.stage;
      onStage?.(stage);
    }
  } finally {
    timer.cancel();
    lines.close();
    messages.destroy();
  }
  const { signal } = await child.exited;
  if (!signal) throw new Fault('internal', `the ${word} ended while ${stage}; see ${log}`);
  throw new Fault('internal', `the ${word} was ended by signal ${signal} while ${stage}: a file that it keeps there is probably damaged; see ${log}, and restore it from a copy`);
}
