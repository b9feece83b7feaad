/** Single docker commands against dockerd. */
import { imageName } from './image.ts';
import { interleave, parallel } from './measure.ts';
import type { Peer } from './peer.ts';
import type { Bench, Goal, Part } from './types.ts';

interface Command {
  name: string;
  about: string;
  /** Whole command, as a user types it, after `docker`. */
  words: readonly string[];
  /** Containers bench-0, bench-1, … that run meanwhile. */
  running?: number;
  goal?: Goal;
}

const commands: readonly Command[] = [
  { name: 'version', about: 'docker version: what the CLI itself takes, with one small call to the engine', words: ['version'] },
  { name: 'run', about: 'docker run --rm IMG true', words: ['run', '--rm', imageName, 'true'], goal: { ratio: 1 / 4 } },
  { name: 'run-no-network', about: 'the same with --network none', words: ['run', '--rm', '--network', 'none', imageName, 'true'] },
  { name: 'exec', about: 'docker exec C true', words: ['exec', 'bench-0', 'true'], running: 1, goal: { ratio: 1 / 3 } },
  { name: 'ps', about: 'docker ps with 20 running', words: ['ps'], running: 20 },
  { name: 'ps200', about: 'docker ps with 200 running', words: ['ps'], running: 200, goal: { ratio: 1 / 2 } },
];

/** Containers that are started, or removed, at a time. */
const width = 4;

export const commandParts: readonly Part[] = commands.map((command) => ({ name: command.name, about: command.about, run: (bench) => compare(bench, command) }));

async function compare(bench: Bench, { name, words, running = 0, goal }: Command): Promise<void> {
  const peers = await bench.peers();
  try {
    for (const peer of peers) await startSleepers(peer, running);
    const turns = peers.map((peer) => ({ name: peer.name, once: async () => (await peer.docker(...words)).ms }));
    const values = await interleave(turns, bench.plan, bench.signal);
    bench.report({ subject: name, unit: 'ms', values, ...(goal ? { goal } : {}) });
  } finally {
    for (const peer of peers) await removeSleepers(peer, running);
  }
}

export async function startSleepers(peer: Peer, count: number): Promise<void> {
  await parallel(count, width, (i) => peer.docker('run', '-d', '--name', `bench-${i}`, imageName, 'sleep', '100000'));
}

export async function removeSleepers(peer: Peer, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, i) => `bench-${i}`);
  if (count > 0) await peer.docker('rm', '-f', ...names);
}
