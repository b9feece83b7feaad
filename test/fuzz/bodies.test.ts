/** Damaged API bodies under seeds: each is an object or a fault, never anything else, and never a long time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeBody } from '#api/kube/decode.ts';
import { parseFieldSelector } from '#api/kube/fields.ts';
import { parseLabelSelector } from '#api/kube/labels.ts';
import { applyJsonPatch, applyMergePatch } from '#api/kube/merge-patch.ts';
import { encodeProtobuf } from '#api/kube/protobuf.ts';
import { messageOfKind } from '#api/kube/schema.ts';
import { applyStrategicMergePatch } from '#api/kube/strategic-merge.ts';
import type { KubeObject } from '#api/kube/types.ts';
import { configMap, pod } from '#cluster/apiserver/testing.ts';
import { isFault } from '#lib/errors.ts';
import { seededRandom } from '#lib/random.ts';
import type { Random } from '#lib/random.ts';
import { firstSeed, seeds } from './seeds.ts';

const objects: readonly KubeObject[] = [
  configMap('c', { a: 'b', long: 'x'.repeat(300) }, { labels: { app: 'web' }, annotations: { note: 'é\u0000\u{1f600}' } }),
  pod('p', { nodeSelector: { a: 'b' }, tolerations: [{ key: 'k', operator: 'Exists', tolerationSeconds: 5 }], containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 80 }], env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }], resources: { limits: { cpu: '100m', memory: '1Gi' } }, livenessProbe: { httpGet: { path: '/', port: 'http' } } }] }),
  { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd', creationTimestamp: '2026-01-01T00:00:00Z' }, spec: { replicas: 3, selector: { matchLabels: { a: 'b' } }, strategy: { rollingUpdate: { maxSurge: '25%', maxUnavailable: 1 } }, template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } } } },
];
const interesting = [0x00, 0x7f, 0x80, 0xff, 0x22, 0x5c, 0x7b, 0x7d, 0x5b, 0x2d, 0x3a, 0x26, 0x2a, 0x0a];

function damaged(random: Random, bytes: Buffer): Buffer {
  let data = Buffer.from(bytes);
  for (let i = 1 + random.int(4); i > 0; i--) {
    const at = random.int(Math.max(1, data.length));
    switch (random.int(5)) {
      case 0: data[at] = random.int(256); break;
      case 1: data[at] = interesting[random.int(interesting.length)] ?? 0; break;
      case 2: data = Buffer.concat([data.subarray(0, at), data.subarray(at + 1 + random.int(8))]); break;
      case 3: data = Buffer.concat([data.subarray(0, at), Buffer.from(random.bytes(1 + random.int(8))), data.subarray(at)]); break;
      default: data = Buffer.concat([data.subarray(0, at), data.subarray(random.int(Math.max(1, data.length)))]);
    }
  }
  return data;
}

/** A fault or a result; anything else that is thrown fails the test. */
function harmless(what: string, work: () => unknown): void {
  const start = process.cpuUsage();
  try {
    work();
  } catch (error) {
    assert.ok(isFault(error) && error.kind !== 'internal', `${what}: ${error instanceof Error ? error.stack : String(error)}`);
  }
  const { user } = process.cpuUsage(start);
  assert.ok(user < 2_000_000, `${what} took ${user / 1e6} s`);
}

test('damaged bodies, patches and selectors are objects or faults', () => {
  const types = ['application/vnd.kubernetes.protobuf', 'application/json', 'application/yaml'] as const;
  for (let seed = firstSeed; seed < firstSeed + seeds * 20; seed++) {
    const random = seededRandom(seed);
    const object = objects[random.int(objects.length)]!;
    const type = types[random.int(types.length)]!;
    const kind = { group: object.apiVersion.includes('/') ? 'apps' : '', version: 'v1', kind: object.kind };
    const body = type === types[0] ? Buffer.from(encodeProtobuf(object)) : Buffer.from(JSON.stringify(object));
    harmless(`seed ${seed}: a body`, () => decodeBody(damaged(random, body), type, kind));
    harmless(`seed ${seed}: a patch`, () => {
      const text = damaged(random, Buffer.from(JSON.stringify(random.int(2) === 0 ? object : [{ op: 'replace', path: '/spec/replicas', value: 3 }, { op: 'copy', from: '/metadata', path: '/spec/x' }]))).toString();
      let patch: unknown;
      try {
        patch = JSON.parse(text);
      } catch {
        return;
      }
      if (Array.isArray(patch)) applyJsonPatch(object, patch);
      else if (random.int(2) === 0) applyMergePatch(object, patch);
      else applyStrategicMergePatch(structuredClone(object), patch, messageOfKind(kind)!);
    });
    harmless(`seed ${seed}: a label selector`, () => parseLabelSelector(damaged(random, Buffer.from('app=web,tier in (a, b),!old,n>3')).toString()));
    harmless(`seed ${seed}: a field selector`, () => parseFieldSelector(damaged(random, Buffer.from('metadata.name=a\\,b,status.phase!=Running')).toString()));
  }
});
