/** Containers in the background: each ends by itself with a code of its own, after its output; some are stopped or removed. */
import assert from 'node:assert/strict';
import { until } from '../../../support/daemon.ts';
import { marking, whole, type Actor, type World } from '../world.ts';

interface Started {
  name: string;
  lines: number;
  code: number;
  /** Whether its client was told that it started. */
  acknowledged: boolean;
  /** What was asked of it last. */
  removal?: 'asked' | 'acknowledged';
}

const started = new Map<number, Started[]>();

async function startOne(world: World, round: number): Promise<Started> {
  const container: Started = { name: `back-${round}-${world.next()}`, lines: 20 + world.random.int(2000), code: world.random.int(100), acknowledged: false };
  started.get(round)?.push(container);
  const wait = `sleep 0.${world.random.int(10)}; exit ${container.code}`;
  const { cut } = await world.want('docker', ['run', '-d', '--name', container.name, '-v', `${world.marks}:/marks`, 'bb', 'sh', '-c', marking(container.name, container.lines, wait)]);
  container.acknowledged = !cut;
  return container;
}

export const services: Actor = {
  name: 'services',

  async act(world, round) {
    started.set(round, []);
    while (!world.killed) {
      const container = await startOne(world, round);
      if (world.killed || world.random.int(4) > 0) continue;
      container.removal = 'asked';
      if (!(await world.want('docker', ['rm', '-f', container.name])).cut) container.removal = 'acknowledged';
    }
  },

  async check(world, round) {
    for (const container of started.get(round) ?? []) await checkOne(world, container);
    started.delete(round);
    assert.equal(await world.docker('ps', '-aq', '--filter', `name=back-${round}-`), '');
  },
};

async function checkOne(world: World, { name, lines, code, acknowledged, removal }: Started): Promise<void> {
  assert.ok(world.starts(name) <= 1, `${name} was started ${world.starts(name)} times`);
  const state = (await world.daemon.docker('inspect', '-f', '{{.State.Status}}', name)).stdout.trim();
  if (removal === 'acknowledged') assert.equal(state, '', `${name} was removed`);
  if (state === '') {
    assert.ok(removal !== undefined || !acknowledged, `${name} was acknowledged and is not there`);
    return;
  }
  if (acknowledged && removal === undefined) {
    assert.equal(world.starts(name), 1, name);
    await until(`${name} to end`, async () => (await world.docker('inspect', '-f', '{{.State.Status}}', name)) === 'exited');
    assert.equal(await world.docker('inspect', '-f', '{{.State.ExitCode}}', name), String(code), `the exit code of ${name}`);
    assert.equal(whole(await world.docker('logs', name), name), lines, `the output of ${name}`);
  }
  await world.docker('rm', '-f', name);
}
