import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '#api/kube/types.ts';
import { configMaps, deployments, events, namespaces, pods, serviceAccounts } from '#client/kube/resources.ts';
import type { KubeClient } from '#client/kube/types.ts';
import { isFault } from '#lib/errors.ts';
import type { TestServer } from '../testing.ts';
import { configMap, pod, startTestServer } from '../testing.ts';

const both: [string, (server: TestServer) => KubeClient][] = [
  ['HTTPS', (server) => server.admin],
  ['in-process', (server) => server.api.localClient({ name: 'admin', groups: ['system:masters'] })],
];

const says = (kind: string, message: string | RegExp) => (error: unknown): boolean => {
  assert.ok(isFault(error), String(error));
  assert.equal(error.kind, kind);
  if (typeof message === 'string') assert.equal(error.message, message);
  else assert.match(error.message, message);
  return true;
};

for (const [door, clientOf] of both) {
  void test(`${door}: an object is made, read, changed with its revision, and deleted`, async (t) => {
    const client = clientOf(await startTestServer(t));
    const made = await client.create<KubeObject>(configMaps, configMap('a', { x: '1' }));
    assert.ok(made.metadata.uid && made.metadata.resourceVersion && made.metadata.creationTimestamp);
    await assert.rejects(client.create(configMaps, configMap('a')), says('already-exists', 'configmaps "a" already exists'));
    const changed = await client.update<KubeObject>(configMaps, { ...made, data: { x: '2' } });
    assert.notEqual(changed.metadata.resourceVersion, made.metadata.resourceVersion);
    await assert.rejects(
      client.update(configMaps, { ...made, data: { x: '3' } }),
      says('conflict', 'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again'),
    );
    assert.deepEqual((await client.get<KubeObject>(configMaps, 'a', 'default'))['data'], { x: '2' });
    await client.delete(configMaps, 'a', { namespace: 'default' });
    await assert.rejects(client.get(configMaps, 'a', 'default'), says('not-found', 'configmaps "a" not found'));
  });

  void test(`${door}: a watch sees each change once, in order, from the revision of a list on`, async (t) => {
    const client = clientOf(await startTestServer(t));
    const before = await client.list<KubeObject>(configMaps, { namespace: 'default', labelSelector: 'seen' });
    const stop = new AbortController();
    const events: string[] = [];
    const watching = (async () => {
      const options = { namespace: 'default', labelSelector: 'seen', resourceVersion: before.metadata.resourceVersion, signal: stop.signal };
      for await (const { type, object } of client.watch<KubeObject>(configMaps, options)) {
        events.push(`${type} ${object.metadata.name} ${(object['data'] as { x: string }).x}`);
        if (events.length === 5) stop.abort();
      }
    })();
    const labels = { labels: { seen: 'yes' } };
    await client.create(configMaps, configMap('a', { x: '1' }, labels));
    await client.create(configMaps, configMap('unseen', { x: '1' }));
    await client.update(configMaps, configMap('a', { x: '2' }, labels));
    await client.update(configMaps, configMap('a', { x: '3' }));
    await client.update(configMaps, configMap('a', { x: '4' }, labels));
    await client.delete(configMaps, 'a', { namespace: 'default' });
    await watching;
    assert.deepEqual(events, ['ADDED a 1', 'MODIFIED a 2', 'DELETED a 2', 'ADDED a 4', 'DELETED a 4']);
  });

  void test(`${door}: patches of three kinds`, async (t) => {
    const client = clientOf(await startTestServer(t));
    const container = (name: string): object => ({ name, image: `${name}:1` });
    await client.create(deployments, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'default' },
      spec: { selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } }, spec: { containers: [container('one'), container('two')] } } },
    });
    const at = { namespace: 'default' };
    await client.patch(deployments, 'web', { type: 'json', body: [{ op: 'replace', path: '/spec/replicas', value: 4 }] }, at);
    await client.patch(deployments, 'web', { type: 'merge', body: { metadata: { labels: { l: 'm' } } } }, at);
    const body = { spec: { template: { spec: { containers: [{ name: 'two', image: 'two:2' }] } } } };
    const patched = await client.patch<KubeObject>(deployments, 'web', { type: 'strategic', body }, at);
    const spec = patched['spec'] as { replicas: number; template: { spec: { containers: { name: string; image: string }[] } } };
    assert.equal(spec.replicas, 4);
    const scaled = await client.patch<KubeObject>(deployments, 'web', { type: 'merge', body: { spec: { replicas: 6 } } }, { ...at, subresource: 'scale' });
    assert.deepEqual([scaled.kind, (scaled['spec'] as { replicas: number }).replicas], ['Scale', 6]);
    const scale = await client.request<KubeObject>('GET', '/apis/apps/v1/namespaces/default/deployments/web/scale');
    assert.deepEqual([scale['spec'], scale['status']], [{ replicas: 6 }, { replicas: 0, selector: 'a=b' }]);
    assert.deepEqual(patched.metadata.labels, { l: 'm' });
    assert.deepEqual(spec.template.spec.containers.map(({ image }) => image), ['one:1', 'two:2']);
    await assert.rejects(
      client.patch(deployments, 'web', { type: 'merge', body: { spec: { replicas: -1 } } }, at),
      says('invalid', 'Deployment.apps "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0'),
    );
  });

  void test(`${door}: requests by path`, async (t) => {
    const client = clientOf(await startTestServer(t));
    const groups = await client.request<{ groups: { name: string }[] }>('GET', '/apis');
    assert.ok(groups.groups.some(({ name }) => name === 'apps'));
    const served = await client.request<{ resources: { name: string }[] }>('GET', '/apis/apps/v1');
    assert.ok(served.resources.some(({ name }) => name === 'deployments/scale'));
    assert.equal((await client.request<{ major: string }>('GET', '/version')).major, '1');
    const path = '/api/v1/namespaces/default/configmaps';
    await client.request('POST', path, configMap('a', { x: '1' }));
    const contentType = 'application/merge-patch+json';
    await client.request('PATCH', `${path}/a`, { data: { y: '2' } }, { contentType });
    assert.deepEqual((await client.request<KubeObject>('GET', `${path}/a`))['data'], { x: '1', y: '2' });
    const found = await client.request<{ items: KubeObject[] }>('GET', `${path}?fieldSelector=metadata.name%3Da`);
    assert.deepEqual(found.items.map(({ metadata }) => metadata.name), ['a']);
    await client.request('DELETE', `${path}/a`);
    await assert.rejects(client.request('GET', `${path}/a`), says('not-found', 'configmaps "a" not found'));
    await assert.rejects(client.request('GET', '/apis/none/v1'), says('not-found', 'the server could not find the requested resource'));
  });

  void test(`${door}: rights are those of roles, and refusals say what is missing`, async (t) => {
    const server = await startTestServer(t);
    const client = door === 'HTTPS' ? await server.client('ann', ['dev']) : server.api.localClient({ name: 'ann', groups: ['dev'] });
    const denied = 'pods is forbidden: User "ann" cannot list resource "pods" in API group "" in the namespace "default"';
    await assert.rejects(client.list(pods, { namespace: 'default' }), says('forbidden', denied));
    const binding = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'dev', namespace: 'default' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'dev' }],
    };
    await server.admin.create({ group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'rolebindings' }, binding);
    assert.deepEqual((await client.list(pods, { namespace: 'default' })).items, []);
    await assert.rejects(client.create(configMaps, configMap('a')), says('forbidden', /cannot create resource "configmaps"/));
  });
}

void test('writes without a revision, racing each other, all arrive', async (t) => {
  const { admin } = await startTestServer(t);
  await admin.create(configMaps, configMap('a'));
  const names = Array.from({ length: 20 }, (_, i) => `k${i}`);
  await Promise.all(names.map((name) => admin.patch(configMaps, 'a', { type: 'merge', body: { data: { [name]: 'v' } } }, { namespace: 'default' })));
  assert.deepEqual(Object.keys((await admin.get<KubeObject>(configMaps, 'a', 'default'))['data'] as object).sort(), names.sort());
});

void test('finalizers hold a deleted object until the last one is taken away', async (t) => {
  const { admin } = await startTestServer(t);
  await admin.create(configMaps, configMap('a', {}, { finalizers: ['example.com/one', 'example.com/two'] }));
  await admin.delete(configMaps, 'a', { namespace: 'default' });
  const held = await admin.get<KubeObject>(configMaps, 'a', 'default');
  assert.ok(held.metadata.deletionTimestamp);
  const left = await admin.update<KubeObject>(configMaps, { ...held, metadata: { ...held.metadata, finalizers: ['example.com/two'] } });
  await assert.rejects(
    admin.update(configMaps, { ...left, metadata: { ...left.metadata, finalizers: ['example.com/two', 'example.com/new'] } }),
    says('invalid', /no new finalizers can be added/),
  );
  await admin.update(configMaps, { ...left, metadata: { ...left.metadata, finalizers: [] } });
  await assert.rejects(admin.get(configMaps, 'a', 'default'), says('not-found', /not found/));
});

void test('a pod on a node waits for its agent; one without a node goes at once', async (t) => {
  const { admin } = await startTestServer(t);
  await admin.create(serviceAccounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: 'default' } });
  await admin.create(pods, pod('free'));
  await admin.delete(pods, 'free', { namespace: 'default' });
  await assert.rejects(admin.get(pods, 'free', 'default'), says('not-found', 'pods "free" not found'));
  await admin.create(pods, pod('bound'));
  const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'bound' }, target: { kind: 'Node', name: 'n1' } };
  await admin.create(pods, binding as KubeObject, { subresource: 'binding', name: 'bound', namespace: 'default' });
  await assert.rejects(
    admin.create(pods, binding as KubeObject, { subresource: 'binding', name: 'bound', namespace: 'default' }),
    says('conflict', /pod bound is already assigned to node "n1"/),
  );
  const onNode = await admin.list<KubeObject>(pods, { fieldSelector: 'spec.nodeName=n1' });
  assert.deepEqual(onNode.items.map(({ metadata }) => metadata.name), ['bound']);
  await admin.delete(pods, 'bound', { namespace: 'default' });
  const ending = await admin.get<KubeObject>(pods, 'bound', 'default');
  assert.equal(ending.metadata.deletionGracePeriodSeconds, 30);
  await admin.delete(pods, 'bound', { namespace: 'default', gracePeriodSeconds: 0 });
  await assert.rejects(admin.get(pods, 'bound', 'default'), says('not-found', /not found/));
});

void test('a namespace that is going takes nothing new, and goes when it is finalized', async (t) => {
  const { admin } = await startTestServer(t);
  await admin.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'brief' } });
  await assert.rejects(admin.create(configMaps, configMap('a', {}, { namespace: 'none' })), says('not-found', 'namespaces "none" not found'));
  await admin.delete(namespaces, 'brief');
  const going = await admin.get<KubeObject>(namespaces, 'brief');
  assert.deepEqual(going['status'], { phase: 'Terminating' });
  await assert.rejects(
    admin.create(configMaps, configMap('a', {}, { namespace: 'brief' })),
    says('forbidden', 'configmaps "a" is forbidden: unable to create new content in namespace brief because it is being terminated'),
  );
  await admin.update(namespaces, { ...going, spec: {} }, { subresource: 'finalize' });
  await assert.rejects(admin.get(namespaces, 'brief'), says('not-found', 'namespaces "brief" not found'));
  await assert.rejects(admin.delete(namespaces, 'default'), says('forbidden', 'namespaces "default" is forbidden: this namespace may not be deleted'));
});

void test('names are generated, checked, and dry runs leave nothing', async (t) => {
  const { admin } = await startTestServer(t);
  const { metadata } = configMap('x');
  const generated = await admin.create<KubeObject>(configMaps, { ...configMap('x'), metadata: { namespace: metadata.namespace, generateName: 'run-' } });
  assert.match(generated.metadata.name ?? '', /^run-[a-z0-9]{5}$/);
  await assert.rejects(admin.create(configMaps, configMap('Not_A_Name')), says('invalid', /^ConfigMap "Not_A_Name" is invalid: metadata.name: Invalid value/));
  const dry = await admin.create<KubeObject>(configMaps, configMap('dry'), { dryRun: true });
  assert.ok(dry.metadata.uid);
  assert.equal(dry.metadata.resourceVersion, undefined);
  await assert.rejects(admin.get(configMaps, 'dry', 'default'), says('not-found', /not found/));
});

void test('an event is one object under both of its groups', async (t) => {
  const { admin } = await startTestServer(t);
  const newer = { group: 'events.k8s.io', version: 'v1', resource: 'events' };
  const regarding = { kind: 'Pod', name: 'p', namespace: 'default' };
  const event = {
    apiVersion: 'events.k8s.io/v1', kind: 'Event', metadata: { name: 'e', namespace: 'default' }, eventTime: '2026-01-01T00:00:00.000000Z',
    reportingController: 'c', reportingInstance: 'i', action: 'Did', reason: 'Because', regarding, note: 'hello', type: 'Normal',
  };
  await admin.create<KubeObject>(newer, event);
  const older = await admin.get<KubeObject>(events, 'e', 'default');
  assert.deepEqual([older.apiVersion, older['message'], older['involvedObject']], ['v1', 'hello', regarding]);
  const stop = new AbortController();
  const seen: string[] = [];
  const watching = (async () => {
    for await (const { type, object } of admin.watch<KubeObject>(newer, { namespace: 'default', resourceVersion: older.metadata.resourceVersion, signal: stop.signal })) {
      seen.push(`${type} ${object.apiVersion} ${String(object['note'])}`);
      if (type === 'DELETED') stop.abort();
    }
  })();
  await admin.patch(events, 'e', { type: 'merge', body: { message: 'again' } }, { namespace: 'default' });
  await admin.request('DELETE', '/apis/events.k8s.io/v1/namespaces/default/events/e');
  await watching;
  assert.deepEqual(seen, ['MODIFIED events.k8s.io/v1 again', 'DELETED events.k8s.io/v1 again']);
});
