import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeBody, decodeJson, decodeYaml, strictDecodingError } from './decode.ts';
import { parseYaml } from './yaml.ts';

const deployment = { group: 'apps', version: 'v1', kind: 'Deployment' };
const configMap = { group: '', version: 'v1', kind: 'ConfigMap' };

test('unknown and duplicate fields are found in the order of the text, and dropped', () => {
  const text = `{"kind":"Deployment","foo":1,"spec":{"replicas":1,"replicas":2,"template":{"metadata":{"labels":{"a":"b","a":"c"}},
    "spec":{"containers":[{"name":"a","image":"b"},{"name":"c","zzz":{"name":1,"name":2}}]}}}}`;
  const { object, findings } = decodeJson(text, deployment);
  assert.equal(
    strictDecodingError(findings),
    'strict decoding error: unknown field "foo", duplicate field "spec.replicas", duplicate field "spec.template.metadata.labels.a", unknown field "spec.template.spec.containers[1].zzz"',
  );
  assert.deepEqual(object, {
    apiVersion: 'apps/v1', kind: 'Deployment', metadata: {},
    spec: { replicas: 2, template: { metadata: { labels: { a: 'c' } }, spec: { containers: [{ name: 'a', image: 'b' }, { name: 'c' }] } } },
  });
});

test('a wrong type names the field and what it should be', () => {
  const cases: [string, string][] = [
    ['{"spec":{"replicas":"x"}}', 'json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32'],
    ['{"spec":{"replicas":1.5}}', 'json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32'],
    ['{"spec":{"replicas":3000000000}}', 'json: cannot unmarshal number into Go struct field DeploymentSpec.spec.replicas of type int32'],
    ['{"spec":{"template":{"spec":{"containers":{}}}}}', 'json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container'],
    ['{"metadata":{"labels":{"a":1}}}', 'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string'],
  ];
  for (const [text, reason] of cases) {
    assert.throws(() => decodeJson(text, deployment), { kind: 'invalid', message: `Deployment in version "v1" cannot be handled as a Deployment: ${reason}` });
  }
});

test('values have one form: quantities, times, base64, zeros and nulls', () => {
  const { object } = decodeJson(JSON.stringify({
    metadata: { creationTimestamp: null, deletionTimestamp: '2026-01-01T01:00:00.5+01:00', labels: {} },
    spec: { replicas: 0, paused: false, template: { spec: { nodeName: '', containers: [{ name: 'c', resources: { limits: { cpu: 0.5, memory: '1024Mi' } } }] } } },
  }), deployment);
  assert.deepEqual(object.metadata, { deletionTimestamp: '2026-01-01T00:00:00Z' });
  assert.deepEqual(object['spec'], {
    replicas: 0, template: { spec: { containers: [{ name: 'c', resources: { limits: { cpu: '500m', memory: '1Gi' } } }] } },
  });
  assert.throws(() => decodeJson('{"binaryData":{"a":"*"}}', configMap), /illegal base64 data at input byte 0/);
});

test('a key may be called anything', () => {
  const { object } = decodeJson('{"data":{"__proto__":"x","constructor":"y"}}', configMap);
  assert.deepEqual(Object.entries(object['data'] as object), [['__proto__', 'x'], ['constructor', 'y']]);
});

test('nesting is bounded', () => {
  const deep = `{"spec":${'['.repeat(5000)}${']'.repeat(5000)}}`;
  assert.throws(() => decodeJson(deep, { group: 'x.example', version: 'v1', kind: 'Thing' }), /nests more than 1000 levels/);
});

test('a kind that is not built in keeps all its fields', () => {
  const { object, findings } = decodeJson('{"apiVersion":"x.example/v1","kind":"Thing","spec":{"a":{"b":null}},"spec":{"a":1}}', deployment);
  assert.deepEqual(object, { apiVersion: 'x.example/v1', kind: 'Thing', spec: { a: 1 } });
  assert.deepEqual(findings, ['duplicate field "spec"']);
});

test('YAML is read as clients read it', () => {
  const text = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, creationTimestamp: 2020-01-01T00:00:00Z}\ndata:\n  a: "yes"\n  a: b\n  day: 2020-01-01\n';
  const { object, findings } = decodeYaml(text, configMap);
  assert.deepEqual(object['data'], { a: 'b', day: '2020-01-01' });
  assert.equal(object.metadata.creationTimestamp, '2020-01-01T00:00:00Z');
  assert.deepEqual(findings, ['yaml: unmarshal errors:\n  line 6: key "a" already set in map']);
  assert.throws(() => decodeYaml('data: {a: yes}', configMap), /cannot unmarshal bool/);
  assert.throws(() => decodeYaml('a: [1,\nb: }', configMap), /error converting YAML to JSON: yaml: line 2: /);
  assert.deepEqual(parseYaml('a: 0644\nb: 1:30\n'), { a: 420, b: '1:30' });
});

test('aliases cannot make a small text a huge object', () => {
  const levels = Array.from({ length: 12 }, (_, index) => `l${index + 1}: &l${index + 1} [${Array.from({ length: 9 }, () => `*l${index}`).join(', ')}]`);
  assert.throws(() => decodeYaml(['l0: &l0 x', ...levels].join('\n'), configMap), /more than 100 aliases/);
});

test('a body is decoded by its media type, and protobuf by its magic', () => {
  const bytes = new TextEncoder().encode('kind: ConfigMap\ndata: {a: b}\n');
  assert.deepEqual(decodeBody(bytes, 'application/yaml', configMap).object['data'], { a: 'b' });
  assert.throws(() => decodeBody(bytes, 'application/json', configMap), /json parse error/);
});
