/** How things end: namespaces with all in them, and what belongs to what was deleted. By the real API server in memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject, Namespace } from '#api/kube/types.ts';
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
