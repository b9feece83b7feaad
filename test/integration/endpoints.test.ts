/** Endpoints, endpoint slices and what each namespace has, by the real API server and its in-process client. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConfigMap, EndpointSlice, Endpoints, KubeObject } from '#api/kube/types.ts';
import { configMaps, endpoints, endpointSlices, namespaces, pods, serviceAccounts, services } from '#client/kube/resources.ts';
import { pod } from '#cluster/apiserver/testing.ts';
import { startCluster } from './cluster.ts';
import { eventually } from './support.ts';

const service = (name: string, spec: object): KubeObject => ({ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'default' }, spec });

test('a service\'s endpoints follow its pods, and those without a selector are left alone', async (t) => {
  const { client } = await startCluster(t);
  await eventually(() => client.get(serviceAccounts, 'default', 'default'));
  await client.create(services, service('web', { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] }));
  await client.create(services, service('own', { ports: [{ port: 80 }] }));
  await client.create(pods, pod('p1', { nodeName: 'n1' }, { labels: { app: 'web' } }));
  const slices = async (name: string): Promise<readonly EndpointSlice[]> =>
    (await client.list<EndpointSlice>(endpointSlices, { namespace: 'default', labelSelector: `kubernetes.io/service-name=${name}` })).items;
  const status = (ready: string): object => ({ status: { phase: 'Running', podIP: '10.0.0.5', podIPs: [{ ip: '10.0.0.5' }], conditions: [{ type: 'Ready', status: ready }] } });
  await client.patch(pods, 'p1', { type: 'strategic', body: status('False') }, { namespace: 'default', subresource: 'status' });
  await eventually(async () => assert.deepEqual((await slices('web')).map(({ endpoints: [first] = [] }) => [first?.addresses, first?.conditions?.ready]), [[['10.0.0.5'], false]]));
  await client.patch(pods, 'p1', { type: 'strategic', body: status('True') }, { namespace: 'default', subresource: 'status' });
  await eventually(async () => {
    const [slice] = await slices('web');
    assert.deepEqual([slice?.endpoints?.[0]?.conditions?.ready, slice?.ports?.[0]?.port], [true, 8080]);
    const { subsets } = await client.get<Endpoints>(endpoints, 'web', 'default');
    assert.deepEqual(subsets?.map((subset) => [subset.addresses?.map(({ ip }) => ip), subset.ports?.[0]?.port]), [[['10.0.0.5'], 8080]]);
  });
  await client.patch(pods, 'p1', { type: 'merge', body: { metadata: { labels: { app: 'other' } } } }, { namespace: 'default' });
  await eventually(async () => assert.deepEqual((await slices('web')).map(({ endpoints: held = [] }) => held.length), [0]));
  assert.deepEqual(await slices('own'), []);
  const subsets = [{ addresses: [{ ip: '192.0.2.7' }], ports: [{ port: 8080 }] }];
  await client.create<Endpoints>(endpoints, { apiVersion: 'v1', kind: 'Endpoints', metadata: { name: 'own', namespace: 'default' }, subsets });
  await eventually(async () => assert.deepEqual((await slices('own')).map(({ endpoints: [first] = [] }) => first?.addresses), [['192.0.2.7']]));
  await client.delete(endpoints, 'own', { namespace: 'default' });
  await eventually(async () => assert.deepEqual(await slices('own'), []));
  await client.delete(services, 'web', { namespace: 'default' });
  await eventually(async () => assert.deepEqual(await slices('web'), []));
  await eventually(() => assert.rejects(client.get(endpoints, 'web', 'default'), /not found/));
});

test('each namespace has its default account and the cluster\'s authority, also after somebody took them', async (t) => {
  const { client, server } = await startCluster(t);
  await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } });
  const there = async (): Promise<void> => {
    await client.get(serviceAccounts, 'default', 'team');
    const { data } = await client.get<ConfigMap>(configMaps, 'kube-root-ca.crt', 'team');
    assert.equal(data?.['ca.crt'], server.api.authority.certificate);
  };
  await eventually(there);
  await client.delete(serviceAccounts, 'default', { namespace: 'team' });
  await client.delete(configMaps, 'kube-root-ca.crt', { namespace: 'team' });
  await eventually(there);
  await client.patch(configMaps, 'kube-root-ca.crt', { type: 'merge', body: { data: { 'ca.crt': 'forged' } } }, { namespace: 'team' });
  await eventually(there);
});
