/** The directory of one container: the OCI configuration and what conmon and the runtime write beside it. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { constants } from 'node:os';
import type { RuntimeConfig } from '#api/oci/runtime.ts';
import { annotationStopSignal, annotationStopTimeout } from '#api/oci/runtime.ts';
import { codeOf } from '#lib/errors.ts';
import type { Files } from '#sys/fs/types.ts';

export interface Bundle {
  directory: string;
  pidFile: string;
  conmonPidFile: string;
  attachSocket: string;
  control: string;
}

export function bundleAt(directory: string): Bundle {
  return {
    directory,
    pidFile: join(directory, 'pid'),
    conmonPidFile: join(directory, 'conmon.pid'),
    attachSocket: join(directory, 'attach'),
    control: join(directory, 'ctl'),
  };
}

export function writeBundle(bundle: Bundle, config: RuntimeConfig): void {
  mkdirSync(bundle.directory, { recursive: true, mode: 0o700 });
  writeFileSync(join(bundle.directory, 'config.json'), JSON.stringify(config));
}

/** How the container of a bundle is to be ended, by what its owner said (`ContainerSpec`). */
export interface Stop {
  signal: number;
  /** Infinity: for as long as it takes. */
  graceMs: number;
  /** As a name for sys/cgroup. */
  cgroup: string | undefined;
}

const defaultSignal = constants.signals.SIGTERM;
const largestSignal = 64;
export const defaultGraceSeconds = 10;

/** The defaults for what is not there, as of a further process, or cannot be read. */
export function readStop(directory: string): Stop {
  const { annotations = {}, linux } = readConfig(directory);
  const signal = Number(annotations[annotationStopSignal] ?? defaultSignal);
  const seconds = Number(annotations[annotationStopTimeout] ?? defaultGraceSeconds);
  return {
    signal: Number.isInteger(signal) && signal > 0 && signal <= largestSignal ? signal : defaultSignal,
    graceMs: Number.isNaN(seconds) ? defaultGraceSeconds * 1000 : seconds < 0 ? Infinity : seconds * 1000,
    cgroup: linux?.cgroupsPath?.replace(/^\//, ''),
  };
}

function readConfig(directory: string): Partial<RuntimeConfig> {
  try {
    return (JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8')) as RuntimeConfig | null) ?? {};
  } catch {
    return {};
  }
}

/**
 * Removes the bundle, and the runtime's directory of the container, `state`, with it. Where the daemon ends meanwhile, a bundle
 * without a record tells the next start of both; so `state` goes first, and at once: of a half the runtime can make nothing.
 */
export async function removeBundle(files: Pick<Files, 'removeTree'>, bundle: Bundle, state: string): Promise<void> {
  await rename(state, join(bundle.directory, 'state')).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error;
  });
  await files.removeTree(state);
  await files.removeTree(bundle.directory);
}

/** The exit status that conmon left, with its time; undefined while there is none. */
export function readExit(bundle: Bundle): { code: number; finishedAt: number } | undefined {
  const path = join(bundle.directory, 'exit');
  const text = readOptional(path);
  if (text === undefined || !/^-?\d+$/.test(text)) return undefined;
  return { code: Number(text), finishedAt: Math.trunc(statSync(path).mtimeMs) };
}

/** In place of conmon, which is gone. */
export function writeExit(bundle: Bundle, code: number): void {
  writeFileSync(join(bundle.directory, 'exit'), `${code}`);
}

/** conmon's note that the kernel killed for want of memory. */
export function readOomMark(bundle: Bundle): boolean {
  return readOptional(join(bundle.directory, 'oom')) !== undefined;
}

export function readPid(path: string): number | undefined {
  const pid = Number(readOptional(path));
  return Number.isInteger(pid) && pid > 0 ? pid : undefined;
}

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
