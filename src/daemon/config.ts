import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Fault, messageOf } from '#lib/errors.ts';

export interface DaemonConfig {
  root: string;
  /** Six hex digits from the root's path: what the kernel's names carry, so that two instances never meet. */
  instance: string;
  nodes: number;
  registryMirrors: string[];
  insecureRegistries: string[];
  dockerSocket: string;
  /** 0: the first free port from 6443 on. */
  apiPort: number;
  nodeName: string;
  debug: boolean;
}

export const defaultRoot = '/var/lib/gantry';
export const version = '0.1.0';
/** Bytes of a unix socket's path that the kernel takes. */
const socketPathLimit = 107;

/** The flags of `up` (and of the daemon itself). Faults: `invalid`, by the flag's name. */
export function parseConfig(args: readonly string[], env: Readonly<Record<string, string | undefined>>): DaemonConfig {
  const values = parse(args);
  const root = resolve(values.root ?? env.GANTRY_ROOT ?? defaultRoot);
  const nodes = wholeNumber('--nodes', values.nodes ?? '1', 1, 1000);
  if (nodes > 1) throw new Fault('not-implemented', '--nodes: more than one node is not implemented yet; leave it out for a cluster of one');
  const dockerSocket = resolve(values['docker-socket'] ?? join(root, 'run', 'docker.sock'));
  if (Buffer.byteLength(dockerSocket) > socketPathLimit) {
    throw new Fault('invalid', `the socket path ${dockerSocket} is longer than ${socketPathLimit} bytes: choose a shorter --root or --docker-socket`);
  }
  return {
    root,
    instance: instanceName(root),
    nodes,
    registryMirrors: (values['registry-mirror'] ?? []).map(mirrorUrl),
    insecureRegistries: values['insecure-registry'] ?? [],
    dockerSocket,
    apiPort: wholeNumber('--api-port', values['api-port'] ?? '0', 0, 65535),
    nodeName: 'gantry-0',
    debug: values.debug ?? false,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        root: { type: 'string' },
        nodes: { type: 'string' },
        'registry-mirror': { type: 'string', multiple: true },
        'insecure-registry': { type: 'string', multiple: true },
        'docker-socket': { type: 'string' },
        'api-port': { type: 'string' },
        debug: { type: 'boolean' },
      },
    }).values;
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

function mirrorUrl(text: string): string {
  try {
    const url = new URL(text);
    if (url.protocol === 'http:' || url.protocol === 'https:') return text.replace(/\/+$/, '');
  } catch {
    // said below
  }
  throw new Fault('invalid', `--registry-mirror takes an http or https URL, not ${JSON.stringify(text)}`);
}
