import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '#api/kube/types.ts';
import { shortageOf } from './refuse.ts';

const room = { cpu: 2000, memory: 1024 ** 3, pods: 3 };

function pod(requests: Record<string, string>, phase?: string): Pod {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: { containers: [{ name: 'main', image: 'web', resources: { requests } }] }, ...(phase && { status: { phase } }) };
}

test('a pod that does not fit beside the others is refused by the resource that is short, in the kubelet\'s words', () => {
  const others = [pod({ cpu: '1500m', memory: '256Mi' }, 'Running')];
  assert.equal(shortageOf(pod({ cpu: '500m', memory: '768Mi' }), others, room), undefined);
  assert.deepEqual(shortageOf(pod({ cpu: '501m' }), others, room), { reason: 'OutOfcpu', message: "Node didn't have enough resource: cpu, requested: 501, used: 1500, capacity: 2000" });
  assert.deepEqual(shortageOf(pod({ memory: '1Gi' }), others, room), { reason: 'OutOfmemory', message: "Node didn't have enough resource: memory, requested: 1073741824, used: 268435456, capacity: 1073741824" });
  assert.equal(shortageOf(pod({}), [...others, ...others, ...others], room)?.reason, 'OutOfpods');
});

test('what has ended takes no room; what asks for nothing of what is short fits; what the node does not name is not counted', () => {
  assert.equal(shortageOf(pod({ cpu: '2' }), [pod({ cpu: '2' }, 'Succeeded'), pod({ cpu: '2' }, 'Failed')], room), undefined);
  assert.equal(shortageOf(pod({ memory: '1Mi' }), [pod({ cpu: '3' }, 'Running')], room), undefined);
  assert.equal(shortageOf(pod({ 'example.com/gpu': '1' }), [], room), undefined);
});
