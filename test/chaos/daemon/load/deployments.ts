/** Deployments: made, scaled and deleted; at the end there are as many pods as was acknowledged last, each started once. */
import assert from 'node:assert/strict';
import { until } from '../../../support/daemon.ts';
import type { Actor, World } from '../world.ts';

const most = 4;
/** How many copies each may want: two numbers where the last request was cut. 0 copies and no deployment look alike here. */
const wanted = new Map<string, number[]>();

function manifest(world: World, name: string, copies: number): string {
  return JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels: { chaos: 'deployments' } },
    spec: {
      replicas: copies,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name, chaos: 'deployments' } },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [{ name: 'main', image: 'bb', command: ['sh', '-c', 'echo x >> /marks/$HOSTNAME; exec sleep 100000'], volumeMounts: [{ name: 'marks', mountPath: '/marks' }] }],
          volumes: [{ name: 'marks', hostPath: { path: world.marks } }],
        },
      },
    },
  });
}

async function act(world: World, name: string): Promise<void> {
  const before = wanted.get(name) ?? [0];
  const isThere = before.at(-1) !== 0;
  const copies = isThere && world.random.int(3) === 0 ? 0 : 1 + world.random.int(most);
  const request = copies === 0 ? ['delete', 'deployment', name] : isThere ? ['scale', 'deployment', name, `--replicas=${copies}`] : ['apply', '-f', '-'];
  const { cut } = await world.want('kubectl', request, request[0] === 'apply' ? manifest(world, name, copies) : undefined);
  wanted.set(name, cut ? [...before, copies] : [copies]);
}

export const deployments: Actor = {
  name: 'deployments',

  async act(world, round) {
    while (!world.killed) await act(world, `deploy-${round}`);
  },

  async check(world, round) {
    const name = `deploy-${round}`;
    const spec = (await world.daemon.kubectl('get', 'deployment', name, '-o', 'jsonpath={.spec.replicas}')).stdout;
    assert.ok(wanted.get(name)?.includes(Number(spec)), `${name} wants ${spec || 'no'} copies, and may want ${wanted.get(name)?.join(' or ')}`);
    const pods = async (): Promise<string[]> => (await world.kubectl('get', 'pods', '-l', `app=${name}`, '-o', 'jsonpath={range .items[*]}{.metadata.name} {.status.phase} {.metadata.deletionTimestamp}{"\\n"}{end}')).split('\n').filter(Boolean);
    await until(`${name} to have ${spec || 0} pods running`, async () => {
      const found = await pods();
      return found.length === Number(spec) && found.every((line) => /^\S+ Running ?$/.test(line));
    }, 60);
    for (const line of await pods()) {
      const pod = line.split(' ')[0] ?? '';
      await until(`${pod} to mark its start`, () => world.starts(pod) > 0);
      assert.equal(world.starts(pod), 1, `${pod} was started once`);
    }
    await world.kubectl('delete', 'deployments', '-l', 'chaos=deployments', '--timeout=30s');
    await until('the pods of the deployment to go', async () => (await pods()).length === 0);
    wanted.clear();
  },
};
