/** Supervisors killed under the daemon: their containers are killed, and those whose policy says so start again, once for each kill. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../../support/daemon.ts';
import type { Actor, World } from '../world.ts';

const script = (name: string): string => `echo x >> /marks/${name}; exec sleep 200000`;

function manifest(world: World, name: string): string {
  const containers = [{ name: 'main', image: 'bb', command: ['sh', '-c', script(name)], volumeMounts: [{ name: 'marks', mountPath: '/marks' }] }];
  return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { terminationGracePeriodSeconds: 0, containers, volumes: [{ name: 'marks', hostPath: { path: world.marks } }] } });
}

/** Kills the conmon whose command line has all of `words`; false where there is none. */
function killSupervisor(words: readonly string[]): boolean {
  const found = readdirSync('/proc').filter((pid) => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return line.split('\0')[0]?.endsWith('conmon') === true && words.every((word) => line.includes(word));
    } catch {
      return false;
    }
  });
  for (const pid of found) process.kill(Number(pid), 'SIGKILL');
  return found.length > 0;
}

/** What was started, and had its supervisor killed once it had marked its start. */
const killed = new Map<string, boolean>();

export const supervisors: Actor = {
  name: 'supervisors',

  async act(world, round) {
    const one = async (name: string, starting: Promise<{ cut: boolean }>, words: () => string[]): Promise<void> => {
      killed.set(name, false);
      await starting;
      while (!world.killed && world.starts(name) === 0) await sleep(50);
      await sleep(world.random.int(500));
      if (world.starts(name) === 1) killed.set(name, killSupervisor([world.daemon.root, ...words()]));
    };
    const [container, pod] = [`sup-${round}`, `sup-pod-${round}`];
    let id = '';
    const run = world.want('docker', ['run', '-d', '--restart=always', '--name', container, '-v', `${world.marks}:/marks`, 'bb', 'sh', '-c', script(container)]);
    await Promise.all([
      one(container, run.then((outcome) => ((id = outcome.stdout.trim()), outcome)), () => [id === '' ? 'nobody' : id]),
      one(pod, world.want('kubectl', ['apply', '-f', '-'], manifest(world, pod)), () => [`_${pod}_`]),
    ]);
  },

  async check(world, round) {
    for (const [name, wasKilled] of killed) {
      if (!wasKilled) continue;
      await until(`${name} to be started again`, () => world.starts(name) === 2, 60);
    }
    const [container, pod] = [`sup-${round}`, `sup-pod-${round}`];
    for (const name of [container, pod]) assert.ok(world.starts(name) <= 2, `${name} was started ${world.starts(name)} times`);
    // a start that a daemon's own start makes is not counted
    if (killed.get(container)) assert.match(await world.docker('inspect', '-f', '{{.State.Status}} {{.RestartCount}}', container), /^running [01]$/);
    const last = 'jsonpath={.status.containerStatuses[0].lastState.terminated.exitCode}';
    if (killed.get(pod)) await until('the end that its pod tells', async () => (await world.kubectl('get', 'pod', pod, '-o', last)) === '137');
    await world.daemon.docker('rm', '-f', container);
    await world.kubectl('delete', 'pod', pod, '--ignore-not-found', '--now', '--timeout=30s');
    killed.clear();
  },
};
