import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '#api/kube/types.ts';
import { planText } from '../planned.ts';
import { planPodGarbage } from './plan.ts';

const pod = (name: string, nodeName: string, phase: string, metadata: Partial<Pod['metadata']> = {}): Pod => ({
  apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default', ...metadata }, spec: { containers: [], ...(nodeName !== '' && { nodeName }) }, status: { phase },
});

test('pods of lost nodes go, and the oldest of too many that have ended', () => {
  const pods = [
    pod('here', 'n1', 'Running'),
    pod('lost', 'gone', 'Running'),
    pod('nowhere', '', 'Pending', { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    pod('waiting', '', 'Pending'),
    pod('ended-3', 'n1', 'Failed', { creationTimestamp: '2026-01-01T00:00:03Z' }),
    pod('ended-1', 'n1', 'Succeeded', { creationTimestamp: '2026-01-01T00:00:01Z' }),
    pod('ended-2', 'n1', 'Succeeded', { creationTimestamp: '2026-01-01T00:00:02Z' }),
  ];
  assert.equal(planText(planPodGarbage(pods, new Set(['gone']), 2)), [
    'delete pod default/lost: node gone does not exist',
    'delete pod default/nowhere: it is being deleted and runs nowhere',
    'delete pod default/ended-1: more than 2 pods have ended',
  ].join('\n'));
});
