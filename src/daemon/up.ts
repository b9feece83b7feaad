import { accessSync, chmodSync, constants, existsSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DaemonFile } from '#api/gantry/status.ts';
import { askNodes, readDaemonFile } from '#client/control/client.ts';
import { sleepOn, systemClock } from '#lib/clock.ts';
import { codeOf, Fault, messageOf } from '#lib/errors.ts';
import { isText, readStateFile } from '#lib/state-file.ts';
import { linuxProcesses } from '#sys/process/linux.ts';
import type { Processes } from '#sys/process/types.ts';
import { program } from './bundle.ts';
import { hasSettings, parseConfig, settingsOf, type DaemonConfig } from './config.ts';
import { launch, startLimitMs } from './launch.ts';
import { lockHolder } from './lock.ts';

/** Milliseconds between looks at a daemon that another call starts. */
const lookMs = 100;

/** Starts the daemon in the background and waits until all of it answers. A second call says that it runs. */
export async function up(args: readonly string[]): Promise<number> {
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  if (process.getuid?.() !== 0) throw new Fault('forbidden', 'up needs root, to make containers: run it with sudo');
  const config = parseConfig(args, process.env);
  const processes = linuxProcesses();
  const running = runningDaemon(config.root, processes);
  if (running) {
    await upAgain(args, config, running.pid, say);
    return 0;
  }
  const began = systemClock.monotonic();
  const file = (await startedElsewhere(config.root, processes, say)) ?? (await startDaemon(config, processes, args, say));
  await askNodes(config.root, { do: 'start-missing' });
  say(`Gantry is up in ${(Number(systemClock.monotonic() - began) / 1e9).toFixed(1)} s (pid ${file.pid})`);
  say(`  docker      unix://${file.docker}`);
  say(`  kubernetes  ${file.apiUrl}`);
  say(`  use them:   eval "$(./gantry env)"`);
  return 0;
}

/** What a call can do for a daemon that runs: its nodes. */
async function upAgain(args: readonly string[], { root, nodes }: DaemonConfig, pid: number, say: (text: string) => void): Promise<void> {
  const missing = await askNodes(root, { do: 'start-missing' });
  if (missing.length > 0) say(`nodes without an agent have one again: ${missing.join(', ')}`);
  const changed = nodes === undefined ? [] : await askNodes(root, { do: 'scale', count: nodes });
  if (changed.length > 0) say(`there are ${nodes} nodes now: ${changed.join(', ')} came or went`);
  const ignored = hasSettings(args) ? '; the flags of this call count from its next start: ./gantry down, then up with them' : '';
  say(`Gantry is already running at ${root} (pid ${pid})${ignored}`);
}

/** The daemon of a root, if one lives: its pid may since be another process's, so its start time counts too. */
export function runningDaemon(root: string, processes: Processes): DaemonFile | undefined {
  const file = readDaemonFile(root);
  if (!file) return undefined;
  return processes.alive(file.pid) && processes.startTime(file.pid)?.toString() === file.startTime ? file : undefined;
}

/** The daemon that another `up` is just starting, once it is ready; undefined where there is none, or it ended. */
async function startedElsewhere(root: string, processes: Processes, say: (text: string) => void, own?: number): Promise<DaemonFile | undefined> {
  const pid = lockHolder(root, processes);
  if (pid === undefined || pid === own) return undefined;
  say(`another call is working on ${root} (pid ${pid}): waiting for it`);
  const limit = systemClock.monotonic() + BigInt(startLimitMs) * 1_000_000n;
  while (lockHolder(root, processes) === pid) {
    const ready = runningDaemon(root, processes);
    if (ready) return ready;
    if (systemClock.monotonic() > limit) throw new Fault('timeout', `the daemon that pid ${pid} starts is not ready after ${startLimitMs / 1000} s; see ${root}/run/daemon.log`);
    await sleepOn(systemClock, lookMs);
  }
  return runningDaemon(root, processes);
}

/** Makes the root, or takes it again. What is not Gantry's is left alone: `down --purge` would remove it all. */
function prepareRoot(root: string): void {
  try {
    makeDirectories(root);
    const foreign = !existsSync(join(root, 'run')) && readdirSync(root).length > 0;
    if (foreign) throw new Fault('conflict', `${root} holds files that are not Gantry's: choose an empty directory, or a new one, for --root`);
    makeDirectories(join(root, 'run'));
    chmodSync(root, 0o711);
    accessSync(join(root, 'run'), constants.W_OK);
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault('invalid', `--root ${root} cannot be used (${codeOf(error) ?? messageOf(error)}): choose a directory on a disk that can be written`, { cause: error });
  }
}

/** One by one: `recursive` never ends where the file system has no such thing as a new directory (/proc). */
function makeDirectories(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  if (dirname(path) !== path) makeDirectories(dirname(path));
  mkdirSync(path, { mode: 0o711 });
}

async function startDaemon(config: DaemonConfig, processes: Processes, args: readonly string[], say: (text: string) => void): Promise<DaemonFile> {
  prepareRoot(config.root);
  const settings = hasSettings(args) ? settingsOf(config) : savedSettings(config.root);
  const nodes = config.nodes === undefined ? [] : [`--nodes=${config.nodes}`];
  const flags = ['--root', config.root, ...settings, ...nodes, ...(config.debug ? ['--debug'] : [])];
  const onStage = (stage: string): void => (process.stderr.isTTY ? say(`  ${stage} …`) : undefined);
  const daemon = launch<DaemonFile>('daemon', flags, { processes, program: await program(say), log: join(config.root, 'run', 'daemon.log'), onStage });
  try {
    const file = await daemon.ready;
    if (hasSettings(args)) saveSettings(config.root, settings);
    return file;
  } catch (error) {
    // another `up` may have been quicker by a moment
    const elsewhere = await startedElsewhere(config.root, processes, say, daemon.pid);
    if (elsewhere) return elsewhere;
    throw error;
  }
}

/** What the last `up` with settings was started with is what one without them means. */
function saveSettings(root: string, settings: readonly string[]): void {
  const file = join(root, 'flags.json');
  writeFileSync(`${file}.new`, JSON.stringify(settings), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

function savedSettings(root: string): string[] {
  const isFlags = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText);
  return readStateFile(join(root, 'flags.json'), isFlags, 'this start then has only the flags that it is given') ?? [];
}
