/** All controllers and the scheduler over HTTPS, as they run in a process of their own: they work, and stop at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deployment, Node, Pod } from '#api/kube/types.ts';
import { systemClock } from '#lib/clock.ts';
import { silentLogger } from '#lib/log.ts';
import { systemRandom } from '#lib/random.ts';
import { configMaps, deployments, namespaces, nodes, pods, serviceAccounts } from '#client/kube/resources.ts';
import { startTestServer } from '#cluster/apiserver/testing.ts';
import { startControllers } from '#cluster/controllers/index.ts';
import { startScheduler } from '#cluster/scheduler/scheduler.ts';
import { eventually } from './support.ts';

const replicas = 5;

test('a deployment is made, scheduled and taken away with its namespace, all over HTTPS', async (t) => {
  const server = await startTestServer(t);
  const client = await server.client('controllers', ['system:masters']);
  const stop = new AbortController();
  const parts = { client, clock: systemClock, log: silentLogger, random: systemRandom, signal: stop.signal };
  const running = Promise.all([startScheduler(parts), startControllers({ ...parts, rootCa: server.api.authority.certificate })]);
  try {
    await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } });
    const status = { allocatable: { cpu: '8', memory: '8Gi', pods: '100' }, conditions: [{ type: 'Ready', status: 'True' }] };
    await client.create<Node>(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' }, spec: {}, status });
    await eventually(() => client.get(serviceAccounts, 'default', 'team'));
    await client.delete(configMaps, 'kube-root-ca.crt', { namespace: 'team' });
    const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image: 'web' }] } };
    const spec = { replicas, selector: { matchLabels: { app: 'web' } }, template };
    await client.create<Deployment>(deployments, { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'team' }, spec });
    const all = async (): Promise<readonly Pod[]> => (await client.list<Pod>(pods, { namespace: 'team' })).items;
    await eventually(async () => assert.equal((await all()).filter(({ spec: { nodeName } }) => nodeName === 'n1').length, replicas));
    await eventually(() => client.get(configMaps, 'kube-root-ca.crt', 'team'));
    await client.delete(namespaces, 'team');
    await eventually(async () => assert.ok((await all()).every(({ metadata }) => metadata.deletionTimestamp !== undefined)));
    // What the node would say once its containers have ended.
    for (const { metadata } of await all()) await client.delete(pods, metadata.name ?? '', { namespace: 'team', gracePeriodSeconds: 0 });
    await eventually(() => assert.rejects(client.get(namespaces, 'team'), /not found/));
  } finally {
    stop.abort();
    await running;
  }
});
