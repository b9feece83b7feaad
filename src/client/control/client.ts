import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DaemonFile, Status } from '#api/gantry/status.ts';
import { Fault, codeOf } from '#lib/errors.ts';
import { request } from '#lib/node-http.ts';

/** Milliseconds that the daemon may take to answer. */
const answerMs = 5_000;
const answerBytes = 4 << 20;

export const defaultRoot = '/var/lib/gantry';

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

function notRunning(root: string, cause?: unknown): Fault {
  const flag = root === defaultRoot ? '' : ` --root ${root}`;
  return new Fault('unavailable', `Gantry is not running at ${root}: start it with ./gantry up${flag}`, { cause });
}

function get(socketPath: string, path: string, root: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, timeout: answerMs }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > answerBytes) call.destroy(new Fault('too-large', 'the daemon answered more than 4 MiB'));
        chunks.push(chunk);
      });
      response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
      response.on('error', reject);
    });
    call.on('timeout', () => call.destroy(new Fault('timeout', `the daemon at ${root} did not answer in ${answerMs} ms; see ${root}/run/daemon.log`)));
    call.on('error', (error) => reject(error instanceof Fault ? error : notRunning(root, error)));
    call.end();
  });
}
