/** An engine behind a docker socket, which the real CLI drives. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { command, type Finished } from './measure.ts';

export interface Peer {
  name: string;
  version: string;
  /** Pids of the engine's own processes, without those of its containers. */
  pids(): number[];
  /** Pids of the processes that stay beside its containers: conmon, or containerd's shims. */
  supervisors(): number[];
  docker(...args: string[]): Promise<Finished>;
  dockerWithInput(input: Buffer, ...args: string[]): Promise<Finished>;
  /** Ends it and removes all that it made. */
  end(): Promise<void>;
}

/** The CLI against a socket, with no configuration of the user's. */
export function dockerAt(socket: string): Pick<Peer, 'docker' | 'dockerWithInput'> {
  const env = { ...process.env, DOCKER_BUILDKIT: '0', DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: join(tmpdir(), 'gantry-bench-no-config') };
  return {
    docker: (...args) => command('docker', args, { env }),
    dockerWithInput: (input, ...args) => command('docker', args, { env, input }),
  };
}
