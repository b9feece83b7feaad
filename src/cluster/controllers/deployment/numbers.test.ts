import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deployment, ReplicaSet } from '#api/kube/types.ts';
import { shrunkOldSets } from './numbers.ts';

const deployment: Deployment = {
  apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'default' },
  spec: { replicas: 8, selector: {}, template: {}, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 2, maxUnavailable: 2 } } },
};

function set(name: string, replicas: number, availableReplicas: number): ReplicaSet {
  return { apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { name }, spec: { replicas, selector: {} }, status: { replicas: availableReplicas, availableReplicas } };
}

test('a pod that an old set gave up already is not given up once more for being told as available still', () => {
  const sizes = (old: ReplicaSet): number[] => shrunkOldSets(deployment, set('new', 5, 4), [old]).map(({ size }) => size);
  assert.deepEqual(sizes(set('old', 5, 5)), [2], '4 + 2 are the least that must stay');
  assert.deepEqual(sizes(set('old', 5, 6)), [2], 'its status is from before it went from 6 to 5');
});
