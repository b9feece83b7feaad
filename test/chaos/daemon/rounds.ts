/** The rounds of chaos: see world.ts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '#lib/random.ts';
import { TestDaemon, until } from '../../support/daemon.ts';
import { Fixed } from './fixed.ts';
import { assertSame, holdingsOf, type Holdings } from './leaks.ts';
import { builds } from './load/builds.ts';
import { deployments } from './load/deployments.ts';
import { followers } from './load/followers.ts';
import { objects } from './load/objects.ts';
import { pods } from './load/pods.ts';
import { runs } from './load/runs.ts';
import { services } from './load/services.ts';
import { supervisors } from './load/supervisors.ts';
import { terminals } from './load/terminals.ts';
import { World, type Actor } from './world.ts';

const actors: readonly Actor[] = [runs, services, builds, objects, deployments, pods, followers, terminals, supervisors];

/** Longest time in milliseconds from a round's begin to its kill, and from the kill to a second one in the start after it. */
const longestLoadMs = 5000;
const longestStartMs = 2000;

export interface ChaosOptions {
  rounds: number;
  seed: number;
  say: (text: string) => void;
}

export async function chaos({ rounds, seed, say }: ChaosOptions): Promise<void> {
  const daemon = new TestDaemon();
  const world = new World(daemon, seededRandom(seed));
  let failed = true;
  try {
    await daemon.up();
    await daemon.busybox();
    const before = await idle(world);
    const fixed = new Fixed(world);
    await fixed.make();
    for (let round = 0; round < rounds; round++) await naming(`seed ${seed}, round ${round}`, () => oneRound(world, fixed, round, say));
    await fixed.remove();
    // what builds that were cut off had come to is kept for the next one
    await world.docker('builder', 'prune', '-f');
    await sameAsBefore(world, before);
    failed = false;
  } finally {
    world.end();
    if (failed && process.env['CHAOS_KEEP']) say(`kept as it is: ${daemon.root}`);
    else await daemon.end();
  }
}

async function oneRound(world: World, fixed: Fixed, round: number, say: (text: string) => void): Promise<void> {
  const { daemon, random } = world;
  world.killed = false;
  const afterMs = random.int(longestLoadMs);
  const again = random.int(4) === 0 ? random.int(longestStartMs) : undefined;
  const load = Promise.all(actors.map((actor) => naming(actor.name, () => actor.act(world, round))));
  // what fails before the kill is told at once
  await Promise.race([sleep(afterMs), load]);
  world.killed = true;
  await daemon.kill();
  if (again !== undefined) await killedInItsStart(daemon, again);
  await load;
  await daemon.up();
  world.killed = false;
  await fixed.check();
  await Promise.all(actors.map((actor) => naming(`after the kill: ${actor.name}`, () => actor.check(world, round))));
  say(`round ${round}: killed after ${afterMs} ms${again === undefined ? '' : `, and ${again} ms into its next start`}: all is well`);
}

/** A start that is killed, too: the daemon that `up` waits for, whatever it has come to. */
async function killedInItsStart(daemon: TestDaemon, afterMs: number): Promise<void> {
  const starting = daemon.run(process.execPath, [join(import.meta.dirname, '../../../src/main.ts'), 'up', '--root', daemon.root]);
  await sleep(afterMs);
  await daemon.killStarting();
  await starting;
}

/** With nothing to do, once what it does at its start is done. */
async function idle(world: World): Promise<Holdings> {
  const { daemon } = world;
  // what the first container and the first pod bring for good
  await world.docker('run', '--rm', 'bb', 'true');
  await world.kubectl('run', 'first', '--image=bb', '--restart=Never', '--', 'true');
  await world.kubectl('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/first', '--timeout=60s');
  await world.kubectl('delete', 'pod', 'first', '--now');
  await daemon.kill();
  await daemon.up();
  await sleep(3000);
  return holdingsOf(daemon.root, pidOf(daemon));
}

async function sameAsBefore(world: World, before: Holdings): Promise<void> {
  const { daemon } = world;
  const look = (): void => assertSame(before, holdingsOf(daemon.root, pidOf(daemon)));
  const isSame = (): boolean => {
    try {
      look();
      return true;
    } catch {
      return false;
    }
  };
  await until('all to be as before', isSame, 15).catch(() => look());
}

function pidOf(daemon: TestDaemon): number {
  return (JSON.parse(readFileSync(join(daemon.root, 'run', 'daemon.json'), 'utf8')) as { pid: number }).pid;
}

async function naming<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new Error(`${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
