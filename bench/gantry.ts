/** Gantry as a peer: started and ended by `./gantry`, in a root of its own. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { command } from './measure.ts';
import { processesLike } from './memory.ts';
import { dockerAt, type Peer } from './peer.ts';

export const launcher: string = join(import.meta.dirname, '..', 'gantry');

export interface GantryPeer extends Peer {
  root: string;
}

export async function startGantry(): Promise<GantryPeer> {
  const root = mkdtempSync(join(tmpdir(), 'gantry-bench-'));
  const end = async (): Promise<void> => {
    await command(launcher, ['down', '--purge', '--root', root]);
    rmSync(root, { recursive: true, force: true });
  };
  try {
    await command(launcher, ['up', '--root', root]);
  } catch (error) {
    await end();
    throw error;
  }
  const client = dockerAt(join(root, 'run', 'docker.sock'));
  const { pid } = JSON.parse(readFileSync(join(root, 'run', 'daemon.json'), 'utf8')) as { pid: number };
  const version = (await client.docker('version', '--format', '{{.Server.Version}}')).stdout.trim();
  return { name: 'gantry', version, root, pids: () => [pid], supervisors: () => processesLike(new RegExp(`^\\S*conmon .*${root}/`)), ...client, end };
}
