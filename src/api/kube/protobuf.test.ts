import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isFault } from '#lib/errors.ts';
import { decodeProtobuf, encodeProtobuf } from './protobuf.ts';
import { messageOfKind } from './schema.ts';
import { parseApiVersion } from './types.ts';

const samples = process.env['GANTRY_KUBE_ROUNDTRIP'] ?? join(import.meta.dirname, '../../../../shared/data/kubernetes-roundtrip');
const missing = existsSync(samples) ? false : `the sample objects are not at ${samples} (set GANTRY_KUBE_ROUNDTRIP)`;

test('every sample object is the same through protobuf as through JSON', { skip: missing }, () => {
  let compared = 0;
  for (const file of readdirSync(samples).filter((name) => name.endsWith('.json'))) {
    const object = JSON.parse(readFileSync(join(samples, file), 'utf8')) as { apiVersion?: string; kind: string };
    const { apiVersion } = object;
    // A WatchEvent has none; its object does.
    if (apiVersion === undefined) continue;
    if (messageOfKind({ ...parseApiVersion(apiVersion), kind: object.kind }) === undefined) continue;
    const bytes = readFileSync(join(samples, file.replace(/json$/, 'pb')));
    assert.deepEqual(decodeProtobuf(bytes), object, file);
    assert.ok(Buffer.from(encodeProtobuf({ ...object, apiVersion })).equals(bytes), `${file} is written as other bytes`);
    compared += 1;
  }
  assert.ok(compared >= 70, `only ${compared} kinds were compared`);
});

test('a zero that differs from absence survives, one that does not is left out', () => {
  const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'a' }, spec: { replicas: 0, paused: false } };
  const decoded = decodeProtobuf(encodeProtobuf(deployment));
  assert.deepEqual(decoded['spec'], { replicas: 0 });
});

test('a body that is cut off or has no magic is refused', () => {
  const bytes = encodeProtobuf({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team-a' } } as { apiVersion: string; kind: string });
  assert.throws(() => decodeProtobuf(bytes.subarray(0, bytes.length - 12)), { kind: 'invalid' });
  assert.throws(() => decodeProtobuf(new TextEncoder().encode('{}')), /expected prefix \[107 56 115 0\]/);
});

test('delete options are decoded in any group, and an unknown kind is named', () => {
  const options = { apiVersion: 'apps/v1', kind: 'DeleteOptions', propagationPolicy: 'Foreground' };
  assert.deepEqual(decodeProtobuf(encodeProtobuf(options)), options);
  assert.throws(() => encodeProtobuf({ apiVersion: 'apps/v1', kind: 'Nothing' }), /no kind "Nothing" is registered for version "apps\/v1"/);
});

test('any change to a body is read or refused, never a crash', () => {
  const pod = {
    apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', creationTimestamp: '2026-01-01T00:00:00Z', managedFields: [{ fieldsV1: { 'f:a': {} } }] },
    spec: { containers: [{ name: 'c', resources: { limits: { cpu: '1' } }, ports: [{ containerPort: 1 }] }] },
  };
  const bytes = encodeProtobuf(pod);
  for (let at = 4; at < bytes.length; at += 1) {
    for (const value of [0, 0x7f, 0xff, (bytes[at] ?? 0) ^ 0x08]) {
      const changed = Uint8Array.from(bytes);
      changed[at] = value;
      try {
        decodeProtobuf(changed);
      } catch (error) {
        assert.ok(isFault(error, 'invalid', 'too-large'), `byte ${at} as ${value}: ${String(error)}`);
      }
    }
  }
});

test('objects inside objects are counted as well as messages inside messages', () => {
  const wrap = (inner: Uint8Array): Uint8Array => {
    const field = (number: number, data: Uint8Array): Uint8Array => {
      const length: number[] = [];
      for (let left = data.length; ; left >>>= 7) {
        length.push(left > 0x7f ? (left & 0x7f) | 0x80 : left);
        if (left <= 0x7f) break;
      }
      return Buffer.concat([Uint8Array.of((number << 3) | 2, ...length), data]);
    };
    const text = (value: string): Uint8Array => Buffer.from(value);
    const type = field(1, Buffer.concat([field(1, text('v1')), field(2, text('WatchEvent'))]));
    const event = Buffer.concat([field(1, text('ADDED')), field(2, field(1, inner))]);
    return Buffer.concat([Uint8Array.of(0x6b, 0x38, 0x73, 0x00), type, field(2, event)]);
  };
  const inmost = encodeProtobuf({ apiVersion: 'v1', kind: 'ConfigMap' });
  let bytes = inmost;
  for (let i = 0; i < 10; i += 1) bytes = wrap(bytes);
  assert.equal(decodeProtobuf(bytes).kind, 'WatchEvent');
  for (let i = 0; i < 200; i += 1) bytes = wrap(bytes);
  assert.throws(() => decodeProtobuf(bytes), { kind: 'too-large' });
});
