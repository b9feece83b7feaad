import { readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { ControlError, NodeAnswer, NodeRequest } from '#api/gantry/nodes.ts';
import type { DaemonFile, Status } from '#api/gantry/status.ts';
import { Fault, codeOf } from '#lib/errors.ts';
import { request as httpRequest } from '#lib/node-http.ts';

/** Milliseconds that the daemon may take to answer. */
const answerMs = 5_000;
const answerBytes = 4 << 20;
/** Milliseconds that work on nodes may take: an agent starts, or pods end, and both have limits of their own. */
const nodesMs = 180_000;

export const defaultRoot = '/var/lib/gantry';

/**
 * The root that a command means: as it is given, else GANTRY_ROOT, else the default one; an empty one counts as none. Links are
 * followed: one place is one instance, whatever it is called, and mounts are found again by where the kernel has them.
 */
export function rootOf(given: string | undefined, env: Readonly<Record<string, string | undefined>>): string {
  return followed(resolve(given || env.GANTRY_ROOT || defaultRoot));
}

/** What is not there yet is below what is. */
function followed(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '') || dirname(path) === path) return path;
    return join(followed(dirname(path)), basename(path));
  }
}

/** What a daemon at `root` left about itself; undefined where none was started. */
export function readDaemonFile(root: string): DaemonFile | undefined {
  try {
    return JSON.parse(readFileSync(join(root, 'run', 'daemon.json'), 'utf8')) as DaemonFile;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '') || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The status of the daemon at `root`. Fault `unavailable` where none runs. */
export async function daemonStatus(root: string): Promise<Status> {
  const file = readDaemonFile(root);
  if (!file) throw notRunning(root);
  const text = await get(file.control, '/status', root);
  return JSON.parse(text) as Status;
}

/** Where the daemon at `root` listens. Fault `unavailable` where none answers. */
export async function daemonSockets(root: string): Promise<DaemonFile> {
  const file = readDaemonFile(root);
  if (!file) throw notRunning(root);
  await get(file.control, '/', root);
  return file;
}

/** Has the daemon at `root` do something with its nodes; the names of those it was done to. Faults: as it says; `unavailable`. */
export async function askNodes(root: string, request: NodeRequest): Promise<string[]> {
  const file = readDaemonFile(root);
  if (!file) throw notRunning(root);
  const text = await call({ socketPath: file.control, path: '/nodes', method: 'POST', timeout: nodesMs }, root, JSON.stringify(request));
  return (JSON.parse(text) as NodeAnswer).nodes;
}

function notRunning(root: string, cause?: unknown): Fault {
  const flag = root === defaultRoot ? '' : ` --root ${root}`;
  return new Fault('unavailable', `Gantry is not running at ${root}: start it with ./gantry up${flag}`, { cause });
}

function get(socketPath: string, path: string, root: string): Promise<string> {
  return call({ socketPath, path, timeout: answerMs }, root);
}

/** The body of the answer. Of a GET, whatever the answer is counts as one. */
function call(options: { socketPath: string; path: string; timeout: number; method?: 'POST' }, root: string, body?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(options, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > answerBytes) request.destroy(new Fault('too-large', 'the daemon answered more than 4 MiB'));
        chunks.push(chunk);
      });
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        if (response.statusCode === 200 || !options.method) resolve(text);
        else reject(new Fault(response.statusCode === 409 ? 'conflict' : 'internal', (JSON.parse(text) as ControlError).error));
      });
      response.on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Fault('timeout', `the daemon at ${root} did not answer in ${options.timeout} ms; see ${root}/run/daemon.log`)));
    request.on('error', (error) => reject(error instanceof Fault ? error : notRunning(root, error)));
    request.end(body);
  });
}
