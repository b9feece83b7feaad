import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { KubeObject } from '#api/kube/types.ts';
import { clusterRoles, configMaps, endpoints, endpointSlices, namespaces, services } from '#client/kube/resources.ts';
import { openEmbeddedStore } from '#core/store/embedded/store.ts';
import { createMemoryStore } from '#core/store/memory/store.ts';
import { VirtualClock } from '#lib/clock-virtual.ts';
import { systemClock } from '#lib/clock.ts';
import { silentLogger } from '#lib/log.ts';
import { systemRandom } from '#lib/random.ts';
import { compactionMs } from './compaction.ts';
import { createApiServer } from './server.ts';
import { configMap, startTestServer } from './testing.ts';

void test('a restarted server has what the first one had, and goes on counting', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-api-'));
  t.after(() => rm(directory, { recursive: true }));
  const start = async (): Promise<{ close(): Promise<void>; admin: ReturnType<Awaited<ReturnType<typeof createApiServer>>['localClient']>; ca: string }> => {
    const store = await openEmbeddedStore({ directory: join(directory, 'store'), durability: 'process', clock: systemClock, log: silentLogger });
    const api = await createApiServer({
      store, clock: systemClock, random: systemRandom, log: silentLogger, pkiDirectory: join(directory, 'pki'),
      serviceCidr: '10.96.0.0/16', advertise: { host: '192.0.2.10', port: 6443 },
    });
    await api.listen([{ host: '127.0.0.1', port: 0 }]);
    const close = async (): Promise<void> => {
      await api.close();
      await store.close();
    };
    return { close, admin: api.localClient({ name: 'admin', groups: ['system:masters'] }), ca: api.authority.certificate };
  };
  const first = await start();
  const made = await first.admin.create<KubeObject>(configMaps, configMap('kept', { a: 'b' }));
  const viewer = await first.admin.get<KubeObject>(clusterRoles, 'view');
  await first.admin.update(clusterRoles, { ...viewer, rules: [{ apiGroups: ['example.com'], resources: ['things'], verbs: ['get'] }] });
  await first.close();
  const second = await start();
  t.after(() => second.close());
  assert.deepEqual(await second.admin.get(configMaps, 'kept', 'default'), made);
  assert.equal(second.ca, first.ca);
  const next = await second.admin.create<KubeObject>(configMaps, configMap('next'));
  assert.ok(Number(next.metadata.resourceVersion) > Number(made.metadata.resourceVersion));
  const { rules } = (await second.admin.get<KubeObject>(clusterRoles, 'view')) as unknown as { rules: { apiGroups: string[]; resources: string[] }[] };
  assert.deepEqual(rules[0]?.apiGroups, ['example.com']);
  assert.ok(rules.some(({ resources }) => resources.includes('pods')), 'what a role lacks is added again');
  const selected = await second.admin.list<KubeObject>(services, { namespace: 'default', fieldSelector: 'metadata.name=kubernetes' });
  assert.deepEqual(selected.items.map((item) => (item['spec'] as { clusterIP: string }).clusterIP), ['10.96.0.1']);
});

void test('a new cluster has its namespaces, its roles, its authority everywhere, and a way to itself', async (t) => {
  const { admin } = await startTestServer(t);
  const names = (await admin.list<KubeObject>(namespaces)).items.map(({ metadata }) => metadata.name);
  assert.deepEqual(names, ['default', 'kube-node-lease', 'kube-public', 'kube-system']);
  for (const role of ['cluster-admin', 'admin', 'edit', 'view', 'system:node', 'system:basic-user', 'system:discovery']) await admin.get(clusterRoles, role);
  const behind = await admin.get<KubeObject>(endpoints, 'kubernetes', 'default');
  assert.deepEqual((behind['subsets'] as { addresses: { ip: string }[] }[])[0]?.addresses, [{ ip: '192.0.2.10' }]);
  const slice = await admin.get<KubeObject>(endpointSlices, 'kubernetes', 'default');
  assert.equal(slice.metadata.labels?.['kubernetes.io/service-name'], 'kubernetes');
});

void test('old revisions are forgotten after a while', async (t) => {
  const clock = new VirtualClock();
  const { admin, store } = await startTestServer(t, { clock });
  await admin.create(configMaps, configMap('a'));
  const before = store.revision();
  await clock.advance(compactionMs);
  await admin.create(configMaps, configMap('b'));
  await clock.advance(compactionMs);
  assert.ok(store.compactedRevision() >= before);
});

void test('an address that pods cannot reach is not advertised', async () => {
  for (const host of ['127.0.0.1', '::1', 'localhost']) {
    const options = { store: createMemoryStore(), clock: systemClock, random: systemRandom, log: silentLogger, pkiDirectory: '/nonexistent', serviceCidr: '10.96.0.0/16' };
    await assert.rejects(createApiServer({ ...options, advertise: { host, port: 0 } }), /cannot advertise/);
  }
});
