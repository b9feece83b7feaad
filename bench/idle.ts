/** What an engine takes of the machine while nobody asks anything of it, alone and for each container that sleeps. */
import { setTimeout as sleep } from 'node:timers/promises';
import { removeSleepers, startSleepers } from './commands.ts';
import { summarize } from './measure.ts';
import { cpuPercent, proportionalMiB, residentMiB } from './memory.ts';
import type { Peer } from './peer.ts';
import type { Bench, Figure, Goal, Part } from './types.ts';

/** Before it is looked at, so that what was just asked of it is over. */
const settleMs = 5000;
const cpuSeconds = 10;
const containers = 50;

export const idle: Part = { name: 'idle', about: 'memory and processor time of each engine, just started', run: (bench) => measure(bench, 'idle') };
export const idleUsed: Part = { name: 'idle-used', about: 'the same after all that ran before it', run: (bench) => measure(bench, 'idle, used') };
export const idleContainers: Part = { name: 'idle-containers', about: `what each of ${containers} idle containers adds, beyond its own processes`, run: perContainer };

async function measure(bench: Bench, subject: string): Promise<void> {
  const peers = await bench.peers();
  await sleep(settleMs);
  await reportEach(bench, peers, { subject: `${subject}: memory`, unit: 'MiB', goal: { median: 180 } }, async (peer) => residentMiB(peer.pids()));
  await reportEach(bench, peers, { subject: `${subject}: processor`, unit: '%', goal: { median: 1 } }, (peer) => cpuPercent(peer.pids(), cpuSeconds));
}

/** The growth of the engine and of its helpers (conmon; containerd's shims), by proportional size, for each container. */
async function perContainer(bench: Bench): Promise<void> {
  const peers = await bench.peers();
  const helpers = (peer: Peer): number[] => [...new Set([...peer.pids(), ...peer.supervisors()])];
  const goal: Goal = { median: 2.5 };
  await reportEach(bench, peers, { subject: 'each idle container', unit: 'MiB', goal }, async (peer) => {
    await sleep(settleMs);
    const before = proportionalMiB(helpers(peer));
    try {
      await startSleepers(peer, containers);
      await sleep(settleMs);
      return (proportionalMiB(helpers(peer)) - before) / containers;
    } finally {
      await removeSleepers(peer, containers);
    }
  });
}

async function reportEach(bench: Bench, peers: readonly Peer[], figure: Omit<Figure, 'values'>, look: (peer: Peer) => Promise<number>): Promise<void> {
  const values: Figure['values'] = {};
  for (const peer of peers) values[peer.name] = summarize([await look(peer)]);
  bench.report({ ...figure, values });
}
