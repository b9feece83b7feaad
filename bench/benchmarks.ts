/** What is measured against dockerd: one value each, in the order they run. */
import { imageName } from './image.ts';
import type { Finished } from './measure.ts';
import type { Peer } from './peer.ts';

export interface Benchmark {
  name: string;
  /** Whole command, as a user types it. */
  command: readonly string[];
  /** Before the first round, on each peer; what it answers is called after the last. */
  prepare?(peer: Peer): Promise<() => Promise<unknown>>;
}

/** Running containers while `docker ps` is timed. */
const listed = 20;

export const benchmarks: readonly Benchmark[] = [
  // what the CLI itself takes, with one small call to the engine
  { name: 'version', command: ['version'] },
  { name: 'run', command: ['run', '--rm', imageName, 'true'] },
  { name: 'run-no-network', command: ['run', '--rm', '--network', 'none', imageName, 'true'] },
  { name: 'exec', command: ['exec', 'bench-0', 'true'], prepare: (peer) => sleepers(peer, 1) },
  { name: 'ps', command: ['ps'], prepare: (peer) => sleepers(peer, listed) },
];

async function sleepers(peer: Peer, count: number): Promise<() => Promise<Finished>> {
  const names = Array.from({ length: count }, (_, i) => `bench-${i}`);
  for (const name of names) await peer.docker('run', '-d', '--name', name, imageName, 'sleep', '100000');
  return () => peer.docker('rm', '-f', ...names);
}
