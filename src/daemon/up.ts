import { mkdirSync, openSync, closeSync, writeFileSync, readFileSync, renameSync, chmodSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { DaemonFile, StartMessage } from '#api/gantry/status.ts';
import { readDaemonFile } from '#client/control/client.ts';
import { systemClock } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import { linuxProcesses } from '#sys/process/linux.ts';
import type { Child, Processes } from '#sys/process/types.ts';
import { parseConfig, type DaemonConfig } from './config.ts';

/** Milliseconds that a start may take: a first start on a slow machine makes certificates and pins namespaces. */
const startLimitMs = 120_000;

/** Starts the daemon in the background and waits until all of it answers. A second call says that it runs. */
export async function up(args: readonly string[]): Promise<number> {
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  if (process.getuid?.() !== 0) throw new Fault('forbidden', 'up needs root, to make containers: run it with sudo');
  const config = parseConfig(args, process.env);
  const processes = linuxProcesses();
  const running = runningDaemon(config.root, processes);
  if (running) {
    say(`Gantry is already running at ${config.root} (pid ${running.pid})`);
    return 0;
  }
  const began = systemClock.monotonic();
  const file = await startDaemon(config, processes, args, say);
  say(`Gantry is up in ${(Number(systemClock.monotonic() - began) / 1e9).toFixed(1)} s (pid ${file.pid})`);
  say(`  docker      unix://${file.docker}`);
  say(`  kubernetes  ${file.apiUrl}`);
  say(`  use them:   eval "$(./gantry env)"`);
  return 0;
}

/** The daemon of a root, if one lives: its pid may since be another process's, so its start time counts too. */
export function runningDaemon(root: string, processes: Processes): DaemonFile | undefined {
  const file = readDaemonFile(root);
  if (!file) return undefined;
  return processes.alive(file.pid) && processes.startTime(file.pid)?.toString() === file.startTime ? file : undefined;
}

async function startDaemon(config: DaemonConfig, processes: Processes, args: readonly string[], say: (text: string) => void): Promise<DaemonFile> {
  const run = join(config.root, 'run');
  mkdirSync(config.root, { recursive: true, mode: 0o711 });
  mkdirSync(run, { recursive: true, mode: 0o711 });
  chmodSync(config.root, 0o711);
  const log = openSync(join(run, 'daemon.log'), 'a', 0o600);
  const flags = rememberFlags(config.root, args);
  const child = processes.spawn(process.execPath, [...process.execArgv, process.argv[1] ?? '', 'daemon', ...flags], {
    cwd: '/',
    env: daemonEnvironment(),
    stdio: ['ignore', log, log, 'pipe'],
    detached: true,
  });
  closeSync(log);
  try {
    return await awaitReady(child, config.root, say);
  } finally {
    child.unref();
  }
}

/** What containers are started with must not depend on the shell that said `up`. */
function daemonEnvironment(): Record<string, string> {
  const kept = ['PATH', 'HOME', 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy', 'NODE_COMPILE_CACHE', 'TZ'];
  return Object.fromEntries(kept.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name] ?? '']])));
}

/** The flags of this `up`, or of the last one where this has none but the root. */
function rememberFlags(root: string, args: readonly string[]): string[] {
  const file = join(root, 'flags.json');
  const given = args.filter((arg, i) => !/^--root(=|$)/.test(arg) && args[i - 1] !== '--root');
  if (given.length > 0) {
    writeFileSync(`${file}.new`, JSON.stringify(given), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }
  return ['--root', root, ...(given.length > 0 ? given : savedFlags(file))];
}

function savedFlags(file: string): string[] {
  try {
    const saved: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return Array.isArray(saved) ? saved.map(String) : [];
  } catch {
    return [];
  }
}

async function awaitReady(child: Child, root: string, say: (text: string) => void): Promise<DaemonFile> {
  const messages = child.stdio[3] as Readable;
  const lines = createInterface({ input: messages });
  const timer = systemClock.after(startLimitMs, () => messages.destroy(new Fault('timeout', 'timeout')));
  let stage = 'starting';
  try {
    for await (const line of lines) {
      const message = JSON.parse(line) as StartMessage;
      if ('ready' in message) return message.ready;
      if ('error' in message) throw new Fault('internal', `the daemon could not start (${stage}): ${message.error}`);
      stage = message.stage;
      if (process.stderr.isTTY) say(`  ${stage} …`);
    }
  } finally {
    timer.cancel();
    lines.close();
    messages.destroy();
  }
  throw new Fault('internal', `the daemon ended while ${stage}; see ${root}/run/daemon.log`);
}
