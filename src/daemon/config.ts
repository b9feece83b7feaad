import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { rootOf } from '#client/control/client.ts';
import { Fault, messageOf } from '#lib/errors.ts';
import { parseDuration } from '#lib/go-duration.ts';
import { nodeLimits } from './nodes/types.ts';

export interface DaemonConfig {
  root: string;
  /** Six hex digits from the root's path: what the kernel's names carry, so that two instances never meet. */
  instance: string;
  /** How many nodes there are to be; undefined: as many as there are, which is one at first. */
  nodes?: number;
  registryMirrors: string[];
  insecureRegistries: string[];
  dockerSocket: string;
  /** 0: the first free port from 6443 on. */
  apiPort: number;
  /** Milliseconds of silence after which a node is unreachable. */
  nodeGraceMs: number;
  /** How long pods that do not say otherwise stay on a node in trouble, in seconds. */
  tolerations: { notReady: number; unreachable: number };
  debug: boolean;
}

export const version = '0.1.0';
/** Bytes of a unix socket's path that the kernel takes. */
const socketPathLimit = 107;

type Environment = Readonly<Record<string, string | undefined>>;

const rootFlags = { root: { type: 'string' }, debug: { type: 'boolean' } } as const;
/** Those that `up` remembers for the next one without any. */
const settingFlags = {
  'registry-mirror': { type: 'string', multiple: true },
  'insecure-registry': { type: 'string', multiple: true },
  'docker-socket': { type: 'string' },
  'api-port': { type: 'string' },
  // by the names that they have in Kubernetes' own programs
  'node-monitor-grace-period': { type: 'string' },
  'default-not-ready-toleration-seconds': { type: 'string' },
  'default-unreachable-toleration-seconds': { type: 'string' },
} as const;
/** How many nodes there are is remembered by the list of nodes. */
const allFlags = { ...settingFlags, nodes: { type: 'string' } } as const;

/** A command's own flags, with `--root` and `--debug`. Faults: `invalid`, by the flag's name. */
export function parseRoot<T extends ParseArgsOptionsConfig>(args: readonly string[], env: Environment, options: T) {
  const values = parse(args, options);
  return { root: checkedRoot((values as { root?: string }).root, env), values };
}

function checkedRoot(given: string | undefined, env: Environment): string {
  const root = rootOf(given, env);
  if (root === '/') throw new Fault('invalid', '--root cannot be /: name a directory of Gantry\'s own');
  // overlayfs, KUBECONFIG and the runtime's command lines have no way to quote these
  const bad = /[\p{Cc}:,;\\"]/u.exec(root)?.[0];
  if (bad !== undefined) throw new Fault('invalid', `--root ${JSON.stringify(root)} has ${JSON.stringify(bad)} in it, which mounts cannot name: choose another directory`);
  return root;
}

/** The flags of `up` (and of the daemon itself). Faults: `invalid`, by the flag's name. */
export function parseConfig(args: readonly string[], env: Environment): DaemonConfig {
  const values = parse(args, allFlags);
  const root = checkedRoot(values.root, env);
  const dockerSocket = resolve(values['docker-socket'] ?? join(root, 'run', 'docker.sock'));
  const longest = [dockerSocket, join(root, 'run', 'control.sock')].find((path) => Buffer.byteLength(path) > socketPathLimit);
  if (longest !== undefined) {
    throw new Fault('invalid', `the socket path ${longest} is longer than ${socketPathLimit} bytes: choose a shorter --root or --docker-socket`);
  }
  return {
    root,
    instance: instanceName(root),
    ...(values.nodes !== undefined && { nodes: wholeNumber('--nodes', values.nodes, 1, nodeLimits.nodes) }),
    registryMirrors: (values['registry-mirror'] ?? []).map(mirrorUrl),
    insecureRegistries: values['insecure-registry'] ?? [],
    dockerSocket,
    apiPort: wholeNumber('--api-port', values['api-port'] ?? '0', 0, 65535),
    nodeGraceMs: gracePeriod(values['node-monitor-grace-period'] ?? '40s'),
    tolerations: {
      notReady: tolerationSeconds('default-not-ready-toleration-seconds', values['default-not-ready-toleration-seconds']),
      unreachable: tolerationSeconds('default-unreachable-toleration-seconds', values['default-unreachable-toleration-seconds']),
    },
    debug: values.debug ?? false,
  };
}

/** Whether any flag of those that are remembered is given. */
export function hasSettings(args: readonly string[]): boolean {
  return Object.keys(parse(args, allFlags)).some((name) => name in settingFlags);
}

/** A configuration as flags again, relative paths resolved; without the root and the number of nodes. */
export function settingsOf(config: DaemonConfig): string[] {
  return [
    ...config.registryMirrors.map((url) => `--registry-mirror=${url}`),
    ...config.insecureRegistries.map((host) => `--insecure-registry=${host}`),
    `--docker-socket=${config.dockerSocket}`,
    `--api-port=${config.apiPort}`,
    `--node-monitor-grace-period=${config.nodeGraceMs}ms`,
    `--default-not-ready-toleration-seconds=${config.tolerations.notReady}`,
    `--default-unreachable-toleration-seconds=${config.tolerations.unreachable}`,
  ];
}

function parse<T extends ParseArgsOptionsConfig>(args: readonly string[], options: T) {
  try {
    return parseArgs({ args: [...args], options: { ...rootFlags, ...options } }).values;
  } catch (error) {
    throw new Fault('invalid', `${messageOf(error)}. See ./gantry help`, { cause: error });
  }
}

export function instanceName(root: string): string {
  return createHash('sha256').update(root).digest('hex').slice(0, 6);
}

function wholeNumber(flag: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most) throw new Fault('invalid', `${flag} takes a whole number from ${least} to ${most}, not ${JSON.stringify(text)}`);
  return value;
}

/** Agents renew their leases every ten seconds: less would call living nodes dead. */
const leastGraceMs = 15_000;
const mostGraceMs = 3_600_000;

function gracePeriod(text: string): number {
  const flag = '--node-monitor-grace-period';
  const ms = parseDuration(flag, text);
  if (ms < leastGraceMs || ms > mostGraceMs) throw new Fault('invalid', `${flag} takes 15s to 1h, not ${JSON.stringify(text)}: agents of nodes report every 10 s`);
  return ms;
}

function tolerationSeconds(name: string, text: string | undefined): number {
  return wholeNumber(`--${name}`, text ?? '300', 0, 2 ** 31 - 1);
}

function mirrorUrl(text: string): string {
  try {
    const url = new URL(text);
    if (url.protocol === 'http:' || url.protocol === 'https:') return text.replace(/\/+$/, '');
  } catch {
    // said below
  }
  throw new Fault('invalid', `--registry-mirror takes an http or https URL, not ${JSON.stringify(text)}`);
}
