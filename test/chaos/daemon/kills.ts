/** What a round kills, and what is killed again while it starts. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '#lib/random.ts';
import { gantry, until, type TestDaemon } from '../../support/daemon.ts';
import type { Kill } from './world.ts';

/** With one node there is no agent: always the daemon. */
export function chooseKill(random: Random, nodes: number): Kill {
  if (nodes === 1) return { daemon: true, nodes: [] };
  const agents = [`gantry-${random.int(nodes)}`];
  const choice = random.int(5);
  return { daemon: choice > 2, nodes: choice === 4 ? [] : agents };
}

export const nothing: Kill = { daemon: false, nodes: [] };

export function describeKill({ daemon, nodes }: Kill): string {
  return [...(daemon ? ['the daemon'] : []), ...nodes.map((node) => `the agent of ${node}`)].join(' and ') || 'nothing';
}

export async function carryOut(daemon: TestDaemon, kill: Kill): Promise<void> {
  await Promise.all([...(kill.daemon ? [daemon.kill()] : []), ...kill.nodes.map((node) => killAgent(daemon, node))]);
}

/** A start that is killed, too: the daemon or the agent that `up` waits for, whatever it has come to. */
export async function killInItsStart(daemon: TestDaemon, kill: Kill, afterMs: number): Promise<void> {
  const starting = daemon.run(process.execPath, [gantry, 'up', '--root', daemon.root]);
  await sleep(afterMs);
  await Promise.all([...(kill.daemon ? [daemon.killStarting()] : []), ...kill.nodes.map((node) => killAgent(daemon, node))]);
  await starting;
}

/** The agent of a node, ready or starting, if there is one; a start that goes on may make another. */
async function killAgent(daemon: TestDaemon, node: string): Promise<void> {
  const home = join(daemon.root, 'nodes', node);
  const killed = agentsOf(home);
  for (const pid of killed) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ESRCH');
    }
  }
  await until('the agent to be gone', () => !agentsOf(home).some((pid) => killed.includes(pid)));
}

export function agentsOf(home: string): number[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      const at = words.indexOf('agent');
      return at > 0 && words[at + 1] === '--root' && words[at + 2] === home;
    } catch {
      return false;
    }
  });
}
