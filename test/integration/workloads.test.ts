/** Deployments, replica sets and replication controllers against the real API server, by the in-process client. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import type { Deployment, Event, Pod, ReplicaSet, ReplicationController } from '#api/kube/types.ts';
import { isoSeconds, systemClock } from '#lib/clock.ts';
import { isFault } from '#lib/errors.ts';
import { silentLogger } from '#lib/log.ts';
import { systemRandom } from '#lib/random.ts';
import { deployments, events, pods, replicaSets, replicationControllers, serviceAccounts } from '#client/kube/resources.ts';
import type { KubeClient } from '#client/kube/types.ts';
import { startTestServer } from '#cluster/apiserver/testing.ts';
import { deploymentController } from '#cluster/controllers/deployment/controller.ts';
import { replicaSetController, replicationControllerController } from '#cluster/controllers/replicaset/controller.ts';
import { createEventRecorder } from '#cluster/machinery/events.ts';
import { createInformers } from '#cluster/machinery/informers.ts';
import { eventually } from './support.ts';

/** An API server with the three controllers, and, for a kubelet, something that says of each pod that it is ready, unless its image is `broken`. */
async function startWorkloads(t: TestContext): Promise<KubeClient> {
  const server = await startTestServer(t);
  const client = server.api.localClient({ name: 'system:kube-controller-manager', groups: ['system:masters'] });
  const stop = new AbortController();
  const shared = { client, clock: systemClock, log: silentLogger, random: systemRandom, signal: stop.signal };
  const context = { ...shared, informers: createInformers(shared), events: createEventRecorder(shared) };
  const factories = [deploymentController, replicaSetController, replicationControllerController];
  const running = factories.map((factory) => factory(context).run());
  context.informers.of<Pod>(pods).onChange(({ type, object }) => {
    if (type === 'ADDED' && object.spec.containers[0]?.image !== 'broken') void makeReady(client, object);
  });
  t.after(async () => {
    stop.abort();
    await Promise.all(running);
  });
  await client.create(serviceAccounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: 'default' } });
  return client;
}

async function makeReady(client: KubeClient, { metadata: { name = '', namespace } }: Pod): Promise<void> {
  const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: isoSeconds(systemClock.now()) }] };
  try {
    await client.patch(pods, name, { type: 'merge', body: { status } }, { namespace, subresource: 'status' });
  } catch (error) {
    if (!isFault(error, 'not-found')) throw error;
  }
}

const template = (image: string): Deployment['spec']['template'] => ({ metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image }] } });

function deployment(spec: Partial<Deployment['spec']> = {}): Deployment {
  const metadata = { name: 'web', namespace: 'default' };
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { replicas: 3, selector: { matchLabels: { app: 'web' } }, template: template('web:1'), ...spec } };
}

const inDefault = { namespace: 'default' };
const images = async (client: KubeClient): Promise<string[]> => (await client.list<Pod>(pods, inDefault)).items.map((pod) => pod.spec.containers[0]?.image ?? '').sort();
const patch = (client: KubeClient, spec: object): Promise<unknown> => client.patch(deployments, 'web', { type: 'merge', body: { spec } }, inDefault);

async function complete(client: KubeClient, revision: string): Promise<Deployment> {
  return eventually(async () => {
    const found = await client.get<Deployment>(deployments, 'web', 'default');
    const { metadata, spec, status } = found;
    assert.equal(status?.observedGeneration, metadata.generation);
    assert.deepEqual([status?.updatedReplicas ?? 0, status?.availableReplicas ?? 0, status?.replicas ?? 0], Array(3).fill(spec.replicas));
    assert.equal(metadata.annotations?.['deployment.kubernetes.io/revision'], revision);
    assert.equal(status?.conditions?.find(({ type }) => type === 'Progressing')?.reason, 'NewReplicaSetAvailable');
    return found;
  });
}

test('a deployment rolls out, updates, rolls back and scales', async (t) => {
  const client = await startWorkloads(t);
  await client.create(deployments, deployment());
  // What the controller notes of it is no new generation.
  assert.equal((await complete(client, '1')).metadata.generation, 1);
  assert.deepEqual(await images(client), ['web:1', 'web:1', 'web:1']);
  await patch(client, { template: template('web:2') });
  await complete(client, '2');
  await eventually(async () => assert.deepEqual(await images(client), ['web:2', 'web:2', 'web:2']));
  await patch(client, { template: template('web:1') });
  await complete(client, '3');
  assert.equal((await client.list(replicaSets, inDefault)).items.length, 2);
  await patch(client, { replicas: 5 });
  await complete(client, '3');
  assert.equal((await images(client)).length, 5);
  await eventually(async () => {
    const said = (await client.list<Event>(events, inDefault)).items.filter(({ involvedObject }) => involvedObject.kind === 'Deployment').map(({ message = '' }) => message.replace(/web-\w+/, 'web-x'));
    assert.ok(said.includes('Scaled up replica set web-x from 0 to 3') && said.includes('Scaled up replica set web-x from 3 to 5'), said.join('\n'));
  });
});

test('a rollout of something broken leaves what serves in place', async (t) => {
  const client = await startWorkloads(t);
  await client.create(deployments, deployment({ progressDeadlineSeconds: 1, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } }));
  await complete(client, '1');
  await patch(client, { template: template('broken') });
  await eventually(async () => {
    const { status } = await client.get<Deployment>(deployments, 'web', 'default');
    assert.equal(status?.conditions?.find(({ type }) => type === 'Progressing')?.reason, 'ProgressDeadlineExceeded');
    assert.equal(status?.availableReplicas, 3);
  });
  assert.deepEqual(await images(client), ['broken', 'web:1', 'web:1', 'web:1']);
});

test('a replica set replaces what is deleted, adopts what matches, lets go what does not, and keeps to its number', async (t) => {
  const client = await startWorkloads(t);
  const single: Pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'single', namespace: 'default', labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image: 'single' }] } };
  await client.create(pods, single);
  const set: ReplicaSet = { apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { name: 'web', namespace: 'default' }, spec: { replicas: 3, selector: { matchLabels: { app: 'web' } }, template: template('web:1') } };
  await client.create(replicaSets, set);
  const settled = (wanted: string[]): Promise<void> => eventually(async () => {
    const { status } = await client.get<ReplicaSet>(replicaSets, 'web', 'default');
    assert.deepEqual([status?.replicas, status?.readyReplicas, status?.availableReplicas], [3, 3, 3]);
    assert.deepEqual(await images(client), wanted);
  });
  await settled(['single', 'web:1', 'web:1']);
  await client.delete(pods, 'single', inDefault);
  await settled(['web:1', 'web:1', 'web:1']);
  const [first] = (await client.list<Pod>(pods, inDefault)).items;
  await client.patch(pods, first?.metadata.name ?? '', { type: 'merge', body: { metadata: { labels: { app: 'other' } } } }, inDefault);
  await settled(['web:1', 'web:1', 'web:1', 'web:1']);
  assert.equal((await client.get<Pod>(pods, first?.metadata.name ?? '', 'default')).metadata.ownerReferences, undefined);
});

test('a replication controller is scaled by hand, through its scale', async (t) => {
  const client = await startWorkloads(t);
  const wanted: ReplicationController = { apiVersion: 'v1', kind: 'ReplicationController', metadata: { name: 'web', namespace: 'default' }, spec: { replicas: 1, selector: { app: 'web' }, template: template('web:1') } };
  await client.create(replicationControllers, wanted);
  for (const replicas of [60, 4, 0]) {
    const scale = { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'web', namespace: 'default' }, spec: { replicas } };
    await client.update(replicationControllers, scale, { subresource: 'scale', name: 'web', namespace: 'default' });
    await eventually(async () => {
      assert.equal((await images(client)).length, replicas);
      const { status } = await client.get<ReplicationController>(replicationControllers, 'web', 'default');
      assert.deepEqual([status?.replicas, status?.readyReplicas ?? 0], [replicas, replicas]);
    });
  }
});
