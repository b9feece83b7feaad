/** How things end: namespaces with all in them, and what belongs to what was deleted. By the real API server in memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject, Namespace, ObjectMeta } from '#api/kube/types.ts';
import { VirtualClock } from '#lib/clock-virtual.ts';
import { configMaps, namespaces, pods, serviceAccounts } from '#client/kube/resources.ts';
import type { KubeClient } from '#client/kube/types.ts';
import { configMap, pod } from '#cluster/apiserver/testing.ts';
import { startCluster } from './cluster.ts';
import { eventually } from './support.ts';

async function makeNamespace(client: KubeClient, name: string): Promise<void> {
  await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  await eventually(() => client.get(serviceAccounts, 'default', name));
}

test('a deleted namespace takes all that is in it: pods before what they use', async (t) => {
  const { client } = await startCluster(t);
  await makeNamespace(client, 'team');
  await client.create(configMaps, configMap('settings', {}, { namespace: 'team' }));
  await client.create(configMaps, configMap('held', {}, { namespace: 'team', finalizers: ['example.com/keep'] }));
  // On a node, so that its end takes until the node says so.
  await client.create(pods, pod('web', { nodeName: 'n1' }, { namespace: 'team' }));
  await client.delete(namespaces, 'team');
  await eventually(async () => assert.ok((await client.get(pods, 'web', 'team')).metadata.deletionTimestamp));
  assert.equal((await client.get(configMaps, 'settings', 'team')).metadata.deletionTimestamp, undefined);
  await client.delete(pods, 'web', { namespace: 'team', gracePeriodSeconds: 0 });
  await eventually(async () => {
    const { status } = await client.get<Namespace>(namespaces, 'team');
    assert.equal(status?.phase, 'Terminating');
    const held = status?.conditions?.find(({ type }) => type === 'NamespaceFinalizersRemaining');
    assert.match(held?.message ?? '', /example\.com\/keep in 1 resource instances/);
  });
  await client.patch(configMaps, 'held', { type: 'merge', body: { metadata: { finalizers: null } } }, { namespace: 'team' });
  await eventually(() => assert.rejects(client.get<KubeObject>(namespaces, 'team'), /not found/));
  await makeNamespace(client, 'team');
  assert.deepEqual((await client.list(pods, { namespace: 'team' })).items, []);
});

async function child(client: KubeClient, name: string, ...owners: KubeObject[]): Promise<KubeObject> {
  const ownerReferences = owners.map(({ metadata }) => ({ apiVersion: 'v1', kind: 'ConfigMap', name: metadata.name ?? '', uid: metadata.uid ?? '', blockOwnerDeletion: true }));
  return await client.create(configMaps, configMap(name, {}, { ownerReferences }));
}

const isGone = (client: KubeClient, name: string): Promise<void> => eventually(() => assert.rejects(client.get(configMaps, name, 'default'), /not found/));
const metadataOf = async (client: KubeClient, name: string): Promise<ObjectMeta> => (await client.get(configMaps, name, 'default')).metadata;

test('what belongs to a deleted object goes after it, before it, or stays, as the deletion says', async (t) => {
  const { client } = await startCluster(t);
  for (const policy of ['Background', 'Foreground', 'Orphan'] as const) {
    const owner = await child(client, `owner-${policy.toLowerCase()}`);
    const middle = await child(client, `middle-${policy.toLowerCase()}`, owner);
    await child(client, `leaf-${policy.toLowerCase()}`, middle);
  }
  // Held back, so that what waits for it can be seen to wait.
  await client.patch(configMaps, 'leaf-foreground', { type: 'merge', body: { metadata: { finalizers: ['example.com/keep'] } } }, { namespace: 'default' });
  for (const policy of ['Background', 'Foreground', 'Orphan'] as const) {
    await client.delete(configMaps, `owner-${policy.toLowerCase()}`, { namespace: 'default', propagationPolicy: policy });
  }
  for (const name of ['owner-background', 'middle-background', 'leaf-background', 'owner-orphan']) await isGone(client, name);
  assert.deepEqual((await metadataOf(client, 'middle-orphan')).ownerReferences ?? [], []);
  assert.equal((await metadataOf(client, 'leaf-orphan')).ownerReferences?.length, 1);
  await eventually(async () => assert.ok((await metadataOf(client, 'leaf-foreground')).deletionTimestamp));
  assert.deepEqual((await metadataOf(client, 'owner-foreground')).finalizers, ['foregroundDeletion']);
  assert.deepEqual((await metadataOf(client, 'middle-foreground')).finalizers, ['foregroundDeletion']);
  await client.patch(configMaps, 'leaf-foreground', { type: 'merge', body: { metadata: { finalizers: null } } }, { namespace: 'default' });
  for (const name of ['leaf-foreground', 'middle-foreground', 'owner-foreground']) await isGone(client, name);
});

test('an object that names an owner that never was, or another of its name, goes; one of two owners is enough to stay', async (t) => {
  const { client } = await startCluster(t);
  const owner = await child(client, 'owner');
  const never = { ...owner, metadata: { ...owner.metadata, uid: '00000000-0000-4000-8000-000000000000' } };
  await child(client, 'lost', never);
  await child(client, 'half', never, owner);
  await child(client, 'kept', owner);
  await isGone(client, 'lost');
  await eventually(async () => assert.deepEqual((await metadataOf(client, 'half')).ownerReferences?.map(({ uid }) => uid), [owner.metadata.uid]));
  assert.ok(await metadataOf(client, 'kept'));
});

test('what changes while its owner is looked for is collected all the same', async (t) => {
  let looks = 0;
  // Each look finds the object changed since; not whose it is, but what it holds.
  const through = (client: KubeClient): KubeClient => ({
    ...forwarded(client),
    get: async (ref, name, namespace, options) => {
      if (name === 'never') {
        await client.patch(configMaps, 'lost', { type: 'merge', body: { data: { looks: String(++looks) } } }, { namespace: 'default' });
        await new Promise((resolve) => setImmediate(resolve));
      }
      return client.get(ref, name, namespace, options);
    },
  });
  const { client } = await startCluster(t, { through });
  const never = { ...configMap('never'), metadata: { name: 'never', uid: '00000000-0000-4000-8000-000000000000' } };
  await child(client, 'lost', never);
  await isGone(client, 'lost');
  assert.ok(looks > 0);
});

test('a namespace goes even where nobody saw the end of what was left in it', async (t) => {
  const clock = new VirtualClock();
  // Nothing is told of pods.
  const through = (client: KubeClient): KubeClient => ({
    ...forwarded(client),
    watch: async function* (ref, options) {
      for await (const event of client.watch<never>(ref, options)) if (ref.resource !== 'pods') yield event;
    },
  });
  const { client } = await startCluster(t, { clock, through });
  await makeNamespace(client, 'team');
  await client.create(pods, pod('web', { nodeName: 'n1' }, { namespace: 'team' }));
  await client.delete(namespaces, 'team');
  await eventually(async () => assert.ok((await client.get(pods, 'web', 'team')).metadata.deletionTimestamp));
  await eventually(async () => assert.equal((await client.get<Namespace>(namespaces, 'team')).status?.conditions?.some(({ type, status }) => type === 'NamespaceContentRemaining' && status === 'True'), true));
  await client.delete(pods, 'web', { namespace: 'team', gracePeriodSeconds: 0 });
  await eventually(async () => {
    await clock.advance(5000);
    await assert.rejects(client.get<KubeObject>(namespaces, 'team'), /not found/);
  });
});

function forwarded(client: KubeClient): KubeClient {
  return {
    get: (...call) => client.get(...call), list: (...call) => client.list(...call), watch: (...call) => client.watch(...call),
    create: (...call) => client.create(...call), update: (...call) => client.update(...call), patch: (...call) => client.patch(...call),
    delete: (...call) => client.delete(...call), request: (...call) => client.request(...call), stream: (...call) => client.stream(...call),
  };
}
