import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { KubeObject } from '#api/kube/types.ts';
import { encodeProtobuf, decodeProtobuf } from '#api/kube/protobuf.ts';
import { configMaps } from '#client/kube/resources.ts';
import { createMemoryStore } from '#core/store/memory/store.ts';
import { VirtualClock } from '#lib/clock-virtual.ts';
import { configMap, startTestServer } from '../testing.ts';

const table = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
const path = '/api/v1/namespaces/default/configmaps';
const json = { 'content-type': 'application/json' };

interface List {
  items: KubeObject[];
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number };
}

const asList = (value: unknown): List => value as List;

void test('health and discovery are open to all, objects are not', async (t) => {
  const { raw } = await startTestServer(t);
  for (const open of ['/healthz', '/livez', '/readyz', '/version', '/api', '/apis', '/api/v1']) {
    assert.equal((await raw({ path: open, as: null })).code, 200, open);
  }
  const refused = await raw({ path, as: null });
  assert.equal(refused.code, 403);
  assert.match(refused.json().message, /User "system:anonymous" cannot list resource "configmaps"/);
  assert.equal((await raw({ path, as: null, headers: { authorization: 'Bearer nonsense' } })).code, 401);
  assert.equal((await raw({ path: '/api/v1/nothing' })).json().message, 'the server could not find the requested resource');
});

void test('a paged list is of one revision; a token whose revision is gone is answered with a fresh one', async (t) => {
  const { raw, admin, store } = await startTestServer(t);
  for (const name of ['a', 'b', 'c', 'd', 'e']) await admin.create(configMaps, configMap(name));
  const names = ({ items }: List): (string | undefined)[] => items.map(({ metadata }) => metadata.name);
  const first = asList((await raw({ path: `${path}?limit=2` })).json());
  assert.deepEqual([names(first), first.metadata.remainingItemCount], [['a', 'b'], 3]);
  await admin.delete(configMaps, 'c', { namespace: 'default' });
  await admin.create(configMaps, configMap('cc'));
  const second = asList((await raw({ path: `${path}?limit=2&continue=${first.metadata.continue}` })).json());
  assert.deepEqual(names(second), ['c', 'd']);
  assert.equal(second.metadata.resourceVersion, first.metadata.resourceVersion);
  await store.compact(store.revision());
  const gone = await raw({ path: `${path}?limit=2&continue=${second.metadata.continue}` });
  assert.deepEqual([gone.code, gone.json().reason], [410, 'Expired']);
  const rest = asList((await raw({ path: `${path}?limit=2&continue=${gone.json().metadata['continue']}` })).json());
  assert.deepEqual(names(rest), ['e']);
});

void test('a watch from before what the server remembers is refused', async (t) => {
  const store = createMemoryStore();
  for (const value of ['1', '2', '3']) await store.put('/elsewhere', Buffer.from(value));
  const { raw } = await startTestServer(t, { store });
  const old = await raw({ path: `${path}?watch=1&resourceVersion=1` });
  assert.deepEqual([old.code, old.json().message], [410, 'too old resource version: 1 (3)']);
});

void test('answers come as tables, metadata alone, YAML and protobuf, as the client asks', async (t) => {
  const { raw, admin } = await startTestServer(t);
  await admin.create(configMaps, configMap('a', { x: 'y' }));
  const rows = (await raw({ path: `${path}?fieldSelector=metadata.name=a`, headers: { accept: table } })).json();
  assert.equal(rows.kind, 'Table');
  const { columnDefinitions, rows: [row] } = rows as unknown as { columnDefinitions: { name: string }[]; rows: { cells: unknown[]; object: KubeObject }[] };
  assert.deepEqual(columnDefinitions.map(({ name }) => name), ['Name', 'Data', 'Age']);
  assert.deepEqual(row?.cells.slice(0, 2), ['a', 1]);
  assert.equal(row?.object.kind, 'PartialObjectMetadata');
  const partial = await raw({ path: `${path}/a`, headers: { accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1' } });
  assert.deepEqual([partial.json().kind, partial.json()['data']], ['PartialObjectMetadata', undefined]);
  const bare = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
  assert.equal((await raw({ path, headers: { accept: bare } })).json().kind, 'PartialObjectMetadataList');
  assert.match((await raw({ path: `${path}/a`, headers: { accept: 'application/yaml' } })).bytes.toString(), /^apiVersion: v1$/m);
  const binary = await raw({ path: `${path}/a`, headers: { accept: 'application/vnd.kubernetes.protobuf' } });
  assert.deepEqual(decodeProtobuf(binary.bytes)['data'], { x: 'y' });
  const listed = await raw({ path: `${path}?fieldSelector=metadata.name=a`, headers: { accept: 'application/vnd.kubernetes.protobuf' } });
  assert.deepEqual(asList(decodeProtobuf(listed.bytes)).items.map(({ metadata }) => metadata.name), ['a']);
  const watched = await raw({ path: `${path}?watch=1&fieldSelector=metadata.name=a&timeoutSeconds=1`, headers: { accept: 'application/vnd.kubernetes.protobuf;stream=watch' } });
  assert.equal(watched.headers['content-type'], 'application/vnd.kubernetes.protobuf;stream=watch');
  assert.equal(watched.bytes.readUInt32BE(0), watched.bytes.length - 4);
  assert.ok(watched.bytes.includes('ADDED'));
  assert.equal((await raw({ path: `${path}/a`, headers: { accept: 'text/html' } })).code, 406);
});

void test('bodies come as JSON, YAML and protobuf; what is wrong with them is said', async (t) => {
  const { raw } = await startTestServer(t);
  const post = (body: string | Uint8Array, type: string, query = ''): ReturnType<typeof raw> =>
    raw({ method: 'POST', path: `${path}${query}`, body, headers: { 'content-type': type } });
  assert.equal((await post(JSON.stringify(configMap('j')), 'application/json')).code, 201);
  const yaml = await post('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yam}\n', 'application/yaml');
  assert.equal(yaml.code, 201, yaml.bytes.toString());
  const binary = await post(encodeProtobuf(configMap('p', { a: 'b' })), 'application/vnd.kubernetes.protobuf');
  assert.equal(binary.code, 201, binary.bytes.toString());
  assert.equal((await post('x', 'text/plain')).code, 415);
  assert.equal((await post('{', 'application/json')).code, 400);
  const unknown = JSON.stringify({ ...configMap('u'), dta: {} });
  const strict = await post(unknown, 'application/json', '?fieldValidation=Strict');
  assert.deepEqual([strict.code, strict.json().message], [400, 'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "dta"']);
  const warned = await post(unknown, 'application/json');
  assert.deepEqual([warned.code, warned.headers['warning']], [201, '299 - "unknown field \\"dta\\""']);
  const large = await post(JSON.stringify(configMap('big', { x: 'y'.repeat(4_000_000) })), 'application/json');
  assert.deepEqual([large.code, large.json().reason], [413, 'RequestEntityTooLarge']);
  const streamed = await raw({ method: 'POST', path, body: 'x'.repeat(5_000_000), headers: { 'transfer-encoding': 'chunked' } });
  assert.equal(streamed.code, 413);
  assert.equal((await raw({ method: 'PATCH', path: `${path}/j`, body: '{}', headers: json })).code, 415);
});

void test('large lists are compressed for those who take that', async (t) => {
  const { raw, admin } = await startTestServer(t);
  await admin.create(configMaps, configMap('big', { x: 'y'.repeat(300_000) }));
  const plain = await raw({ path });
  const packed = await raw({ path, headers: { 'accept-encoding': 'gzip' } });
  assert.equal(packed.headers['content-encoding'], 'gzip');
  assert.ok(packed.bytes.length < plain.bytes.length / 10);
  assert.deepEqual(gunzipSync(packed.bytes), plain.bytes);
});

void test('aggregated discovery is tagged, and not sent twice', async (t) => {
  const { raw } = await startTestServer(t);
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
  const first = await raw({ path: '/apis', headers: { accept } });
  assert.equal(first.json().kind, 'APIGroupDiscoveryList');
  const etag = String(first.headers['etag']);
  assert.match(etag, /^"[0-9A-F]{128}"$/);
  assert.equal((await raw({ path: '/apis', headers: { accept, 'if-none-match': etag } })).code, 304);
  const index = (await raw({ path: '/openapi/v3' })).json() as unknown as { paths: Record<string, { serverRelativeURL: string }> };
  const document = await raw({ path: index.paths['apis/apps/v1']?.serverRelativeURL ?? '' });
  assert.ok('io.k8s.api.apps.v1.Deployment' in ((document.json()['components'] as { schemas: object }).schemas));
});

void test('the older form of the API description stands on its own', async (t) => {
  const { raw } = await startTestServer(t);
  const text = (await raw({ path: '/openapi/v2' })).bytes.toString();
  const document = JSON.parse(text) as { swagger: string; definitions: object; paths: Record<string, { post?: { parameters: { in: string }[] } }> };
  assert.equal(document.swagger, '2.0');
  assert.equal(document.paths['/api/v1/namespaces/{namespace}/pods']?.post?.parameters[0]?.in, 'body');
  const names = new Set([...text.matchAll(/"#\/definitions\/([^"]+)"/g)].map(([, name]) => name ?? ''));
  assert.deepEqual([...names].filter((name) => !Object.hasOwn(document.definitions, name)), []);
  assert.ok(!text.includes('#/components'));
  const binary = await raw({ path: '/openapi/v2', headers: { accept: 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf' } });
  assert.deepEqual([binary.code, binary.headers['content-type']], [200, 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf']);
  assert.equal((await raw({ path: '/openapi/v2', headers: { accept: 'text/html' } })).code, 406);
});

void test('bookmarks come each minute; a watch with initial events says when they end', async (t) => {
  const clock = new VirtualClock();
  const { admin, raw } = await startTestServer(t, { clock });
  await admin.create(configMaps, configMap('a'));
  const query = 'watch=1&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=90';
  const answer = raw({ path: `${path}?${query}&fieldSelector=metadata.name=a` });
  for (let i = 0; i < 4; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    await clock.advance(30_000);
  }
  const events = (await answer).bytes.toString().trim().split('\n').map((line) => JSON.parse(line) as { type: string; object: KubeObject });
  assert.deepEqual(events.map(({ type }) => type), ['ADDED', 'BOOKMARK', 'BOOKMARK', 'BOOKMARK']);
  assert.deepEqual(events[1]?.object.metadata.annotations, { 'k8s.io/initial-events-end': 'true' });
  assert.equal((await raw({ path: `${path}?watch=1&sendInitialEvents=true` })).code, 422);
});

void test('who may impersonate acts as another', async (t) => {
  const { raw, access } = await startTestServer(t);
  const headers = { 'impersonate-user': 'ann' };
  assert.match((await raw({ path, headers })).json().message, /User "ann" cannot list/);
  const refused = await raw({ path, headers, as: await access('bob') });
  const who = async (more: Record<string, string>): Promise<{ username: string; groups: string[]; extra?: object }> => {
    const body = JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' });
    const reviews = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
    const answer = await raw({ method: 'POST', path: reviews, body, headers: { ...json, ...more } });
    return (answer.json()['status'] as { userInfo: { username: string; groups: string[]; extra?: object } }).userInfo;
  };
  assert.deepEqual((await who({ 'impersonate-user': 'root', 'impersonate-group': 'system:masters' })).groups, ['system:masters', 'system:authenticated']);
  assert.deepEqual((await who({ 'impersonate-user': 'root', 'impersonate-extra-a%2Fb': 'c', 'impersonate-extra-50%': 'd' })).extra, { 'a/b': ['c'], '50%': ['d'] });
  const nobody = { 'impersonate-user': 'system:anonymous' };
  assert.match((await raw({ path: '/apis/authentication.k8s.io/v1/selfsubjectreviews', method: 'POST', body: '{}', headers: { ...json, ...nobody } })).json().message, /User "system:anonymous" cannot create/);
  assert.equal(refused.json().message, 'users "ann" is forbidden: User "bob" cannot impersonate resource "users" in API group "" at the cluster scope');
});

void test('a door that cannot open everywhere opens nowhere', async (t) => {
  const { api, url } = await startTestServer(t);
  const taken = Number(new URL(url).port);
  const free = await freePort();
  await assert.rejects(api.listen([{ host: '127.0.0.1', port: free }, { host: '127.0.0.1', port: taken }]), /cannot listen on 127\.0\.0\.1:\d+/);
  assert.equal((await api.listen([{ host: '127.0.0.1', port: free }]))[0]?.port, free);
});

async function freePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  listener.close();
  await once(listener, 'close');
  return port;
}
