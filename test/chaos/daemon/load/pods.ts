/** Pods that end by themselves and are not started again: each runs once, and its code and its output are found. */
import assert from 'node:assert/strict';
import { until } from '../../../support/daemon.ts';
import { marking, whole, type Actor, type World } from '../world.ts';

interface Started {
  name: string;
  lines: number;
  code: number;
  acknowledged: boolean;
}

const started = new Map<number, Started[]>();
/** Pods of one round: each lives until its check. */
const mostPods = 6;

function manifest(world: World, { name, lines, code }: Started): string {
  const command = ['sh', '-c', marking(name, lines, `sleep 0.${world.random.int(10)}; exit ${code}`)];
  const containers = [{ name: 'main', image: 'bb', command, volumeMounts: [{ name: 'marks', mountPath: '/marks' }] }];
  return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name, labels: { chaos: 'pods' } }, spec: { restartPolicy: 'Never', containers, volumes: [{ name: 'marks', hostPath: { path: world.marks } }] } });
}

export const pods: Actor = {
  name: 'pods',

  async act(world, round) {
    const all: Started[] = [];
    started.set(round, all);
    while (!world.killed && all.length < mostPods) {
      const pod = { name: `pod-${round}-${world.next()}`, lines: 20 + world.random.int(2000), code: 1 + world.random.int(100), acknowledged: false };
      all.push(pod);
      pod.acknowledged = !(await world.want('kubectl', ['apply', '-f', '-'], manifest(world, pod))).cut;
    }
  },

  async check(world, round) {
    for (const { name, lines, code, acknowledged } of started.get(round) ?? []) {
      const there = (await world.kubectl('get', 'pod', name, '--ignore-not-found', '-o', 'name')) !== '';
      assert.ok(there || !acknowledged, `pod ${name} was acknowledged and is not there`);
      if (!there) continue;
      const ended = 'jsonpath={.status.phase} {.status.containerStatuses[0].state.terminated.exitCode} {.status.containerStatuses[0].restartCount}';
      await until(`${name} to end`, async () => (await world.kubectl('get', 'pod', name, '-o', ended)).startsWith('Failed '), 60);
      assert.equal(await world.kubectl('get', 'pod', name, '-o', ended), `Failed ${code} 0`, name);
      assert.equal(world.starts(name), 1, `${name} was started once`);
      assert.equal(whole(await world.kubectl('logs', name), name), lines, `the output of ${name}`);
    }
    started.delete(round);
    await world.kubectl('delete', 'pods', '-l', 'chaos=pods', '--timeout=30s', '--grace-period=1');
  },
};
