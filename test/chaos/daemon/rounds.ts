/** The rounds of chaos: see world.ts. */
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '#lib/random.ts';
import { TestDaemon } from '../../support/daemon.ts';
import { Fixed } from './fixed.ts';
import { carryOut, chooseKill, describeKill, killInItsStart, nothing } from './kills.ts';
import { ageBlobs, assertSame, assertSameDescriptors, descriptorsOf, recordsOf, thingsOf } from './leaks.ts';
import { builds } from './load/builds.ts';
import { deployments } from './load/deployments.ts';
import { followers } from './load/followers.ts';
import { objects } from './load/objects.ts';
import { pods } from './load/pods.ts';
import { runs } from './load/runs.ts';
import { services } from './load/services.ts';
import { supervisors } from './load/supervisors.ts';
import { terminals } from './load/terminals.ts';
import { World, type Actor, type Kill } from './world.ts';

const actors: readonly Actor[] = [runs, services, builds, objects, deployments, pods, followers, terminals, supervisors];

/** Longest time in milliseconds from a round's begin to its kill, and from the kill to a second one in the start after it. */
const longestLoadMs = 5000;
const longestStartMs = 2000;
/** Rounds without a kill at the end, their load, and the rest before descriptors are counted: idle connections are kept two minutes, some five. */
const quietRounds = 8;
const quietLoadMs = 2000;
const idleMs = 130_000;

export interface ChaosOptions {
  rounds: number;
  seed: number;
  nodes: number;
  /** Whether rounds without a kill follow, that look for what grows with the load: five minutes. */
  soak: boolean;
  say: (text: string) => void;
}

export async function chaos({ rounds, seed, nodes, soak, say }: ChaosOptions): Promise<void> {
  const daemon = new TestDaemon();
  const world = new World(daemon, seededRandom(seed));
  let failed = true;
  try {
    await daemon.up(...(nodes > 1 ? ['--nodes', String(nodes)] : []));
    await daemon.busybox();
    await first(world);
    await world.docker('builder', 'prune', '-af');
    const before = await holdings(world);
    const fixed = new Fixed(world);
    await fixed.make();
    for (let round = 0; round < rounds; round++) {
      await naming(`seed ${seed}, round ${round}`, () => oneRound(world, fixed, { round, kill: chooseKill(world.random, nodes), afterMs: world.random.int(longestLoadMs), say }));
    }
    if (soak) await naming(`seed ${seed}, after ${rounds} rounds`, () => rest(world, fixed, rounds, say));
    await fixed.remove();
    // what builds that were cut off had come to is kept for the next one
    await world.docker('builder', 'prune', '-af');
    await sameAsBefore(world, before);
    failed = false;
  } finally {
    world.end();
    if (failed && process.env['CHAOS_KEEP']) say(`kept as it is: ${daemon.root}`);
    else await daemon.end();
  }
}

interface Round {
  round: number;
  kill: Kill;
  /** Milliseconds of load before it. */
  afterMs: number;
  say: (text: string) => void;
}

async function oneRound(world: World, fixed: Fixed, { round, kill, afterMs, say }: Round): Promise<void> {
  const { daemon, random } = world;
  world.killed = false;
  world.kill = kill;
  const isQuiet = describeKill(kill) === 'nothing';
  const again = !isQuiet && random.int(4) === 0 ? random.int(longestStartMs) : undefined;
  const load = Promise.all(actors.map((actor) => naming(actor.name, () => actor.act(world, round))));
  // what fails before the kill is told at once
  await Promise.race([sleep(afterMs), load]);
  world.killed = true;
  await carryOut(daemon, kill);
  if (again !== undefined) await killInItsStart(daemon, kill, again);
  await load;
  if (!isQuiet) await daemon.up();
  world.killed = false;
  await fixed.check();
  await Promise.all(actors.map((actor) => naming(`after the kill: ${actor.name}`, () => actor.check(world, round))));
  say(`round ${round}: ${describeKill(kill)} killed after ${afterMs} ms${again === undefined ? '' : `, and ${again} ms into the next start`}: all is well`);
}

/** Rounds without a kill: whoever keeps a descriptor of each is found out, once what is kept for a while has gone. */
async function rest(world: World, fixed: Fixed, rounds: number, say: (text: string) => void): Promise<void> {
  const quiet = async (round: number): Promise<void> => oneRound(world, fixed, { round, kill: nothing, afterMs: quietLoadMs, say });
  await quiet(rounds);
  await sleep(idleMs);
  const before = descriptorsOf(world.daemon.root);
  for (let i = 1; i <= quietRounds; i++) await quiet(rounds + i);
  await sleep(idleMs);
  await settled('descriptors to be as many as before', () => assertSameDescriptors(before, descriptorsOf(world.daemon.root)));
  say(`${quietRounds} rounds without a kill: no descriptor more (${before.size} kinds)`);
}

/** What the first container and the first pod of each node bring for good. */
async function first(world: World): Promise<void> {
  await world.docker('run', '--rm', 'bb', 'true');
  const { nodes } = await world.daemon.status();
  for (const { name: nodeName } of nodes) {
    const overrides = JSON.stringify({ spec: { nodeName } });
    await world.kubectl('run', 'first', '--image=bb', '--restart=Never', `--overrides=${overrides}`, '--', 'true');
    await world.kubectl('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/first', '--timeout=60s');
    await world.kubectl('delete', 'pod', 'first', '--now');
  }
}

/** With nothing to do, a day later, once what is done at a start is done. */
async function holdings(world: World): Promise<string[]> {
  const { daemon } = world;
  const { nodes } = await daemon.status();
  const agents = nodes.length > 1 ? nodes.map(({ name }) => name) : [];
  await carryOut(daemon, { daemon: true, nodes: agents });
  const kept = await recordsOf(daemon.root, agents);
  ageBlobs(daemon.root, agents);
  await daemon.up();
  await sleep(3000);
  return [...kept, ...thingsOf(daemon.root, agents)].sort();
}

async function sameAsBefore(world: World, before: readonly string[]): Promise<void> {
  await settled('all to be as before', async () => assertSame(before, await holdings(world)), 3);
}

/** Looks until nothing is found wrong, a second apart. */
async function settled(what: string, look: () => void | Promise<void>, looks = 30): Promise<void> {
  for (let i = 1; ; i++) {
    try {
      return await look();
    } catch (error) {
      if (i === looks) throw new Error(`waited for ${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      await sleep(1000);
    }
  }
}

async function naming<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new Error(`${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
