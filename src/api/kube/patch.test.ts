import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyJsonPatch, applyMergePatch } from './merge-patch.ts';
import { message } from './schema.ts';
import { applyStrategicMergePatch } from './strategic-merge.ts';

const deployment = message('apps.v1.Deployment');

function podSpec(spec: object): { [key: string]: unknown } {
  return { spec: { template: { spec } } };
}

function patched(original: object, patch: object): unknown {
  const result = applyStrategicMergePatch(podSpec(original), podSpec(patch), deployment) as { spec: { template: { spec: unknown } } };
  return result.spec.template.spec;
}

test('lists are merged by their key, in the order of the patch', () => {
  const original = { containers: [{ name: 'a', image: '1', env: [{ name: 'X', value: '1' }] }, { name: 'b', image: '1' }] };
  const patch = { containers: [{ name: 'c', image: '3' }, { name: 'a', image: '2', env: [{ name: 'Y', value: '2' }] }] };
  assert.deepEqual(patched(original, patch), {
    containers: [
      { name: 'c', image: '3' },
      { name: 'a', image: '2', env: [{ name: 'Y', value: '2' }, { name: 'X', value: '1' }] },
      { name: 'b', image: '1' },
    ],
  });
  assert.equal(original.containers[0]?.image, '1', 'the original is left alone');
});

test('lists without a merge key are replaced whole, maps are merged, null deletes', () => {
  const original = { tolerations: [{ key: 'a' }], nodeSelector: { a: '1', b: '2' }, hostname: 'h' };
  assert.deepEqual(patched(original, { tolerations: [{ key: 'b' }], nodeSelector: { a: null, c: '3' }, hostname: null }), {
    tolerations: [{ key: 'b' }], nodeSelector: { b: '2', c: '3' },
  });
});

test('directives delete and replace', () => {
  const original = { containers: [{ name: 'a', image: '1' }, { name: 'b', image: '1' }], nodeSelector: { a: '1' } };
  assert.deepEqual(patched(original, { containers: [{ name: 'a', $patch: 'delete' }], nodeSelector: { $patch: 'replace', z: '1' } }), {
    containers: [{ name: 'b', image: '1' }], nodeSelector: { z: '1' },
  });
  assert.deepEqual(patched(original, { containers: [{ name: 'n', image: '9' }, { $patch: 'replace' }], nodeSelector: { $patch: 'delete' } }), {
    containers: [{ name: 'n', image: '9' }], nodeSelector: {},
  });
});

test('$setElementOrder orders what it names and keeps what it does not', () => {
  const original = { containers: [{ name: 'a' }, { name: 'server' }, { name: 'b' }] };
  const patch = { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }], containers: [{ name: 'a', image: '2' }] };
  assert.deepEqual(patched(original, patch), { containers: [{ name: 'server' }, { name: 'b' }, { name: 'a', image: '2' }] });
  assert.deepEqual(patched(original, { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }] }), {
    containers: [{ name: 'server' }, { name: 'b' }, { name: 'a' }],
  });
});

test('lists of plain values are joined, and values can be taken out', () => {
  const meta = { metadata: { finalizers: ['a', 'b'] } };
  assert.deepEqual(applyStrategicMergePatch(meta, { metadata: { finalizers: ['b', 'c'] } }, deployment), { metadata: { finalizers: ['a', 'b', 'c'] } });
  assert.deepEqual(applyStrategicMergePatch(meta, { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } }, deployment), { metadata: { finalizers: ['b'] } });
});

test('$retainKeys drops what is not named', () => {
  const original = { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } };
  const patch = { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } };
  assert.deepEqual(applyStrategicMergePatch(original, patch, deployment), { spec: { strategy: { type: 'Recreate' } } });
});

test('an item without its merge key is refused by name', () => {
  assert.throws(() => patched({ containers: [{ name: 'a' }] }, { containers: [{ image: 'x' }] }), /does not contain declared merge key: name/);
});

test('a merge patch sets, nests and deletes, and cannot reach the prototype', () => {
  assert.deepEqual(applyMergePatch({ a: { b: 1, c: 2 }, d: [1] }, { a: { b: null, e: { f: null, g: 1 } }, d: [2] }), { a: { c: 2, e: { g: 1 } }, d: [2] });
  const result = applyMergePatch({}, JSON.parse('{"__proto__":{"polluted":true}}')) as { polluted?: boolean };
  assert.equal(result.polluted, undefined);
  assert.equal(({} as { polluted?: boolean }).polluted, undefined);
});

test('a JSON patch applies in order, and says which operation fails', () => {
  const target = { a: [1, 2], b: 'x' };
  assert.deepEqual(applyJsonPatch(target, [{ op: 'add', path: '/a/-', value: 3 }, { op: 'remove', path: '/b' }]), { a: [1, 2, 3] });
  assert.deepEqual(target, { a: [1, 2], b: 'x' });
  assert.throws(() => applyJsonPatch(target, [{ op: 'test', path: '/b', value: 'y' }]), { kind: 'conflict', message: "error in test for path: '/b': testing value failed" });
  assert.throws(() => applyJsonPatch(target, [{ op: 'remove', path: '/zzz' }]), /error in remove for path: '\/zzz'/);
  assert.throws(() => applyJsonPatch(target, [{ op: 'eat', path: '/a' }]), /operation 0 needs an op/);
});

test('a JSON patch cannot be made to grow without bound', () => {
  const double = [{ op: 'add', path: '/a', value: 'x'.repeat(100_000) }, ...Array.from({ length: 30 }, () => ({ op: 'copy', from: '', path: '/b' }))];
  assert.throws(() => applyJsonPatch({}, double), { kind: 'too-large' });
  assert.throws(() => applyJsonPatch({}, Array.from({ length: 10_001 }, () => ({ op: 'test', path: '', value: {} }))), /allowed maximum operations in a JSON patch is 10000, got 10001/);
});
