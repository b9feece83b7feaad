/** What is wrong with a request is said as Kubernetes' own API server says it, quickly, and changes nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeProtobuf } from '#api/kube/protobuf.ts';
import { configMap, startTestServer } from '../testing.ts';
import type { RawRequest } from '../testing.ts';

const at = '/api/v1/namespaces/default/configmaps';
const deployments = '/apis/apps/v1/namespaces/default/deployments';
const strict = '?fieldValidation=Strict';
const deployment = (spec: object): string =>
  JSON.stringify({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd' }, spec: { selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } }, ...spec } });
const post = (body: string | Uint8Array, path = at, type = 'application/json'): RawRequest => ({ method: 'POST', path, body, headers: { 'content-type': type } });
const patch = (body: unknown, type: string, query = ''): RawRequest =>
  ({ method: 'PATCH', path: `${at}/there${query}`, body: typeof body === 'string' ? body : JSON.stringify(body), headers: { 'content-type': `application/${type}` } });
const get = (query: string): RawRequest => ({ path: `${at}?${query}` });
const withData = (data: string): string => `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":${data}}`;
const nested = (levels: number): string => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
const yaml = 'application/yaml';
const head = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n';
const dns = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

const cases: readonly [what: string, request: RawRequest, code: number, says: string | RegExp][] = [
  ['an unknown field', post(deployment({ replcas: 3 }), deployments + strict), 400, 'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.replcas"'],
  ['an unknown field in a list', post(deployment({ template: { spec: { containers: [{ nme: 'c' }] } } }), deployments + strict), 400, 'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.template.spec.containers[0].nme"'],
  ['two of them', post(deployment({ a: 1, b: 2 }), deployments + strict), 400, 'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.a", unknown field "spec.b"'],
  ['a field twice', post(deployment({}).replace('"spec":', '"kind":"Deployment","spec":'), deployments + strict), 400, 'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: duplicate field "kind"'],
  ['a field twice in YAML', post(`${head}data:\n  a: b\n  a: c\n`, at + strict, yaml), 400, 'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: yaml: unmarshal errors:\n  line 6: key "a" already set in map'],
  ['an unknown field in a merge patch', patch({ dta: {} }, 'merge-patch+json', strict), 422, /^ "" is invalid: patch: Invalid value: "\{\\"apiVersion\\":\\"v1\\".*\\"dta\\":\{\}\}": strict decoding error: unknown field "dta"$/],
  ['an unknown field in a strategic patch', patch({ dta: { b: [1, null], a: true } }, 'strategic-merge-patch+json', strict), 422, ' "" is invalid: patch: Invalid value: "map[dta:map[a:true b:[1 <nil>]]]": strict decoding error: unknown field "dta"'],
  ['a text for a number', post(deployment({ replicas: 'three' }), deployments), 400, 'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32'],
  ['a number beyond 32 bits', post(deployment({ replicas: 9e12 }), deployments), 400, /cannot unmarshal number.* of type int32$/],
  ['half a replica', post(deployment({ replicas: 1.5 }), deployments), 400, /cannot unmarshal number 1\.5 into/],
  ['an object for a list', post(deployment({ template: { spec: { containers: { a: 1 } } } }), deployments), 400, /cannot unmarshal object into .* of type \[\]v1\.Container$/],
  ['a name that is no DNS label', post(JSON.stringify(configMap('Not_A_Name'))), 422, `ConfigMap "Not_A_Name" is invalid: metadata.name: Invalid value: "Not_A_Name": ${dns}`],
  ['a name that leads up', post(JSON.stringify(configMap('..'))), 422, `ConfigMap ".." is invalid: metadata.name: Invalid value: "..": ${dns}`],
  ['a name with a slash', post(JSON.stringify(configMap('a/b'))), 422, /metadata\.name: Invalid value: "a\/b"/],
  ['a key that leads up', post(withData('{"..":"x"}')), 422, `ConfigMap "x" is invalid: data[..]: Invalid value: "..": must not be '..'`],
  ['a key that hides what a volume writes', post(withData('{"..data":"x"}')), 422, /must not start with '\.\.'/],
  ['a key with a slash', post(withData('{"a/b":"x"}')), 422, /data\[a\/b\]: Invalid value: "a\/b"/],
  ['more than 1 MiB of data', post(withData(`{"a":"${'x'.repeat(1_100_000)}"}`)), 422, 'ConfigMap "x" is invalid: : Too long: may not be more than 1048576 bytes'],
  ['more than 3 MiB', post(withData(`{"a":"${'x'.repeat(3_300_000)}"}`)), 413, 'Request entity too large: limit is 3145728'],
  ['labels without an end', post(JSON.stringify(configMap('x', {}, { annotations: { a: 'x'.repeat(300_000) } }))), 422, /metadata\.annotations: Too long: may not be more than 262144 bytes/],
  ['a label that is none', post(JSON.stringify(configMap('x', {}, { labels: { 'a b': 'c' } }))), 422, /metadata\.labels: Invalid value: "a b": name part must consist of/],
  ['JSON that nests 100,000 levels', post(withData(nested(100_000))), 400, 'the object nests more than 1000 levels'],
  ['lists that nest 100,000 levels', post(withData('['.repeat(100_000) + ']'.repeat(100_000))), 400, 'the object nests more than 1000 levels'],
  ['YAML that nests', post(`${head}data: ${'['.repeat(200_000)}`, at, yaml), 400, 'the object nests more than 1000 levels'],
  ['YAML that nests by dashes', post(`${head}data: \n${'- '.repeat(200_000)}`, at, yaml), 400, 'the object nests more than 1000 levels'],
  ['YAML aliases that multiply', post(`a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefgh'.split('').map((c, i) => `${c}: &${c} [${Array.from({ length: 9 }, () => `*${'abcdefgh'[i]}`).join(',')}]`).join('\n')}\n${head}`, at, yaml), 400, 'error converting YAML to JSON: more than 100 aliases'],
  ['YAML that holds itself', post(`${head}data: &d\n  e: *d\n  f: *d\n`, at, yaml), 400, 'the object nests more than 1000 levels'],
  ['YAML of very many keys', post(Array.from({ length: 200_000 }, (_, i) => `k${i}: 1`).join('\n'), at, yaml), 400, 'error converting YAML to JSON: more than 250000 tokens'],
  ['two YAML documents', post(`${head}---\n${head}`, at, yaml), 400, /multiple documents/],
  ['a YAML tag', post(`${head}data: !!js/function x\n`, at, yaml), 400, /cannot unmarshal string into/],
  ['half a JSON', post('{"apiVersion":'), 400, /^couldn't get version\/kind; json parse error: /],
  ['a list', post('[]'), 400, /the body must be an object/],
  ['nothing', post(''), 400, /the request has no body/],
  ['protobuf that ends amid a field', post(encodeProtobuf(configMap('x', { a: 'b' })).subarray(0, 30), at, 'application/vnd.kubernetes.protobuf'), 400, /the protobuf body ends in the middle of a field/],
  ['what is no protobuf', post('hello', at, 'application/vnd.kubernetes.protobuf'), 400, /does not appear to be a protobuf message/],
  ['a JSON patch of very many operations', patch(Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/kind', value: 'ConfigMap' })), 'json-patch+json'), 413, 'Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001'],
  ['a JSON patch that copies and copies', patch([{ op: 'add', path: '/data/z', value: 'x'.repeat(10_000) }, ...Array.from({ length: 40 }, (_, i) => ({ op: 'copy', from: '/data', path: `/data/n${i}` }))], 'json-patch+json'), 413, /the copy operations of the patch add more than 3145728 bytes$/],
  ['a JSON patch that is no list', patch({ op: 'add' }, 'json-patch+json'), 422, /error decoding patch/],
  ['a JSON patch into the prototype', patch([{ op: 'add', path: '/__proto__/x', value: 1 }], 'json-patch+json'), 422, /a path cannot lead through __proto__ or constructor\/prototype$/],
  ['a JSON patch of what is not there', patch([{ op: 'remove', path: '/data/none/deep' }], 'json-patch+json'), 422, /error in remove for path: '\/data\/none\/deep'/],
  ['a merge patch that nests', patch(`{"data":${nested(50_000)}}`, 'merge-patch+json'), 400, 'the object nests more than 1000 levels'],
  ['a strategic patch that nests', patch(`{"data":${nested(50_000)}}`, 'strategic-merge-patch+json'), 400, 'the object nests more than 1000 levels'],
  ['an apply that nests', patch(`${head}data: ${'{a: '.repeat(50_000)}`, 'apply-patch+yaml', '?fieldManager=x'), 400, 'the object nests more than 1000 levels'],
  ['an apply by nobody', patch(head, 'apply-patch+yaml'), 422, 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'],
  ['a limit that is no number', get('limit=x'), 400, /^limit: Invalid value: "x"/],
  ['a limit below nothing', get('limit=-1'), 400, /^limit: Invalid value: "-1"/],
  ['a token of another list', get(`continue=${Buffer.from('{"v":"meta.k8s.io/v1","rv":5,"start":"/registry/secrets/"}').toString('base64url')}`), 400, /^continue key is not valid/],
  ['a resourceVersion that is no number', get('resourceVersion=abc'), 400, /strconv\.ParseUint: parsing "abc": invalid syntax/],
  ['a resourceVersion of the future', get('resourceVersion=99999999'), 504, /^Too large resource version: 99999999, current: \d+$/],
  ['a watch that ends before it begins', get('watch=1&timeoutSeconds=-1'), 400, /^timeoutSeconds: Invalid value: "-1"/],
  ['a selector that is none', get('labelSelector=a%20b%20c'), 400, /^unable to parse requirement: found 'b'/],
  ['a selector without an end', get(`labelSelector=${'a=b,'.repeat(5000)}a`), 400, /the request URI is longer than 16384 characters/],
  ['a field that nothing is selected by', get('fieldSelector=foo=bar'), 400, 'field label not supported: foo'],
  ['a path that leads up', { path: `${at}/%2e%2e%2fsecrets` }, 404, 'configmaps "../secrets" not found'],
  ['a path with a broken escape', { path: `${at}/%zz` }, 400, /a percent escape is broken/],
];

void test('what is wrong is said, and changes nothing', async (t) => {
  const { raw, api, store } = await startTestServer(t);
  await raw(post(JSON.stringify(configMap('there', { a: 'b' }))));
  const before = store.revision();
  for (const [what, request, code, says] of cases) {
    await t.test(what, async () => {
      const answer = await raw(request);
      const status = answer.json();
      assert.equal(status.kind, 'Status');
      assert.equal(answer.code, code, status.message);
      if (typeof says === 'string') assert.equal(status.message, says);
      else assert.match(status.message, says);
      assert.equal(store.revision(), before, 'nothing was written');
    });
  }
  assert.ok(api);
});

void test('what is odd and allowed does no harm', async (t) => {
  const { raw } = await startTestServer(t);
  const own = await raw(post('{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"own"},"data":{"__proto__":"x","constructor":"y"}}'));
  assert.equal(own.code, 201);
  assert.match((await raw({ path: `${at}/own` })).bytes.toString(), /"__proto__":"x","constructor":"y"/);
  assert.equal(({} as Record<string, unknown>)['x'], undefined);
  const many = configMap('many', {}, { labels: Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`l${i}`, 'v'])) });
  assert.equal((await raw(post(JSON.stringify(many)))).code, 201);
  const long = await raw(get('watch=1&fieldSelector=metadata.name=none&timeoutSeconds=1'));
  assert.equal(long.code, 200);
});
