import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deployment, KubeObject, ManagedFieldsEntry, Status } from '#api/kube/types.ts';
import { configMaps, deployments } from '#client/kube/resources.ts';
import type { KubeClient } from '#client/kube/types.ts';
import { isFault } from '#lib/errors.ts';
import { configMap, startTestServer } from '../testing.ts';
import { fromFields, toFields } from './paths.ts';

interface Container {
  name: string;
  image?: string;
  env?: { name: string; value: string }[];
  ports?: object[];
}

function manifest(spec: { replicas?: number; containers: Container[]; labels?: Record<string, string> }): KubeObject {
  const { replicas, containers, labels } = spec;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'default', ...(labels && { labels }) },
    spec: { ...(replicas !== undefined && { replicas }), selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } }, spec: { containers } } },
  };
}

async function applyAs(client: KubeClient, fieldManager: string, body: KubeObject, force = false): Promise<Deployment> {
  return (await client.patch<KubeObject>(deployments, 'web', { type: 'apply', body, force }, { namespace: 'default', fieldManager })) as unknown as Deployment;
}

const main = (image: string, more: Partial<Container> = {}): Container => ({ name: 'main', image, ...more });

void test('what a manager says no more goes; what others own or made stays', async (t) => {
  const { admin } = await startTestServer(t);
  const env = [{ name: 'A', value: '1' }];
  await applyAs(admin, 'one', manifest({ containers: [main('i:1', { env, ports: [{ containerPort: 80 }] })], labels: { x: 'y', both: 'same' } }));
  await applyAs(admin, 'two', manifest({ containers: [main('i:1'), { name: 'side', image: 's:1' }], labels: { both: 'same' } }));
  await admin.patch(deployments, 'web', { type: 'merge', body: { metadata: { labels: { made: 'by-hand' } } } }, { namespace: 'default' });
  const left = await applyAs(admin, 'one', manifest({ containers: [main('i:1', { ports: [{ containerPort: 80 }] })] }));
  assert.deepEqual(left.metadata.labels, { both: 'same', made: 'by-hand' });
  const [first, second] = left.spec?.template.spec?.containers ?? [];
  assert.deepEqual([first?.env, first?.ports?.[0]?.containerPort, second?.name], [undefined, 80, 'side']);
  const gone = await applyAs(admin, 'two', manifest({ containers: [main('i:1')] }));
  assert.deepEqual(gone.spec?.template.spec?.containers.map(({ name }) => name), ['main']);
});

void test('a field that another owns and set otherwise is a conflict, unless it is forced', async (t) => {
  const { admin } = await startTestServer(t);
  await applyAs(admin, 'one', manifest({ replicas: 2, containers: [main('i:1')] }));
  await assert.rejects(applyAs(admin, 'two', manifest({ replicas: 3, containers: [main('i:2')] })), (error: unknown) => {
    assert.ok(isFault(error, 'conflict'));
    assert.match(error.message, /^Apply failed with 2 conflicts: conflicts with "one" using apps\/v1:\n- \.spec\.replicas\n- \.spec\.template\.spec\.containers\[name="main"\]\.image$/);
    const causes = (error.details['status'] as Status).details?.causes ?? [];
    assert.deepEqual(causes[0], { reason: 'FieldManagerConflict', message: 'conflict with "one" using apps/v1', field: '.spec.replicas' });
    return true;
  });
  const forced = await applyAs(admin, 'two', manifest({ replicas: 3, containers: [main('i:2')] }), true);
  assert.equal(forced.spec?.replicas, 3);
  // What `one` lost it may neither set nor, by leaving it out, remove.
  assert.equal((await applyAs(admin, 'one', manifest({ containers: [{ name: 'main' }] }))).spec?.replicas, 3);
});

void test('to apply the same again changes nothing; an update takes over what it changes', async (t) => {
  const { admin } = await startTestServer(t);
  const same = manifest({ replicas: 2, containers: [main('i:1')] });
  const first = await applyAs(admin, 'one', same);
  assert.equal((await applyAs(admin, 'one', same)).metadata.resourceVersion, first.metadata.resourceVersion);
  await admin.patch(deployments, 'web', { type: 'merge', body: { spec: { replicas: 5 } } }, { namespace: 'default', fieldManager: 'scaler' });
  await assert.rejects(applyAs(admin, 'one', same), /conflict with "scaler" using apps\/v1 at .*: \.spec\.replicas/);
  const without = await applyAs(admin, 'one', manifest({ containers: [main('i:1')] }));
  assert.equal(without.spec?.replicas, 5);
});

void test('an object that nobody has applied belongs to what was there before', async (t) => {
  const { admin } = await startTestServer(t);
  await admin.create(configMaps, configMap('c', { a: '1', b: '2' }));
  const apply = (data: Record<string, string>, force = false): Promise<KubeObject> =>
    admin.patch<KubeObject>(configMaps, 'c', { type: 'apply', body: configMap('c', data), force }, { namespace: 'default', fieldManager: 'one' });
  await assert.rejects(apply({ a: '9' }), /conflict with "before-first-apply" using v1 at .*: \.data\.a/);
  const taken = await apply({ a: '9' }, true);
  assert.deepEqual(taken['data'], { a: '9', b: '2' });
  assert.deepEqual(taken.metadata.managedFields?.map(({ manager }: ManagedFieldsEntry) => manager), ['before-first-apply', 'one']);
});

void test('an apply names its manager, and not the owners', async (t) => {
  const { raw } = await startTestServer(t);
  const path = '/api/v1/namespaces/default/configmaps/c';
  const send = (query: string, body: object): ReturnType<typeof raw> =>
    raw({ method: 'PATCH', path: `${path}?${query}`, headers: { 'content-type': 'application/apply-patch+yaml' }, body: JSON.stringify(body) });
  const nameless = await send('', configMap('c'));
  assert.deepEqual([nameless.code, nameless.json().reason], [422, 'Invalid']);
  const owned = await send('fieldManager=m', configMap('c', {}, { managedFields: [{ manager: 'x' }] }));
  assert.deepEqual([owned.code, owned.json().message], [400, 'metadata.managedFields must be nil']);
  assert.equal((await send('fieldManager=m', configMap('c'))).code, 201);
  assert.equal((await send('fieldManager=m', configMap('c', { a: 'b' }))).code, 200);
});

void test('owned fields survive being written and read', () => {
  const fields = { 'f:spec': { 'f:containers': { 'k:{"name":"c"}': { '.': {}, 'f:image': {} } }, 'f:finalizers': { 'v:"x"': {} } } };
  assert.deepEqual(toFields(fromFields(fields)), fields);
});
