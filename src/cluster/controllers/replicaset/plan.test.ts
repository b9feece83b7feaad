import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod, ReplicaSet } from '#api/kube/types.ts';
import { replicaSetKind } from './kinds.ts';
import type { ObservedReplicas } from './observe.ts';
import { nextAvailability, planReplicas, printReplicaPlan, replicaStatus } from './plan.ts';

const now = Date.UTC(2026, 0, 1, 12);
const at = (secondsAgo: number): string => new Date(now - secondsAgo * 1000).toISOString().replace('.000', '');

interface PodFacts {
  node?: string;
  phase?: string;
  /** Seconds. */
  readyFor?: number;
  age?: number;
  cost?: number;
  restarts?: number;
}

function pod(name: string, { node = 'n1', phase = 'Running', readyFor, age = 100, cost, restarts = 0 }: PodFacts = {}): Pod {
  const conditions = readyFor === undefined ? [] : [{ type: 'Ready', status: 'True', lastTransitionTime: at(readyFor) }];
  const annotations = cost === undefined ? undefined : { 'controller.kubernetes.io/pod-deletion-cost': String(cost) };
  return {
    apiVersion: 'v1', kind: 'Pod',
    metadata: { name, namespace: 'default', uid: name, labels: { app: 'web' }, creationTimestamp: at(age), ...(annotations && { annotations }) },
    spec: { containers: [], ...(node !== '' && { nodeName: node }) },
    status: { phase, conditions, containerStatuses: [{ name: 'c', restartCount: restarts, image: '', imageID: '', ready: true }] },
  };
}

function observed(replicas: number, pods: Pod[], extra: Partial<ObservedReplicas> = {}, spec: Partial<ReplicaSet['spec']> = {}): ObservedReplicas {
  const set: ReplicaSet = {
    apiVersion: 'apps/v1', kind: 'ReplicaSet',
    metadata: { name: 'web', namespace: 'default', uid: 'set', generation: 3 },
    spec: { replicas, selector: { matchLabels: { app: 'web' } }, template: { metadata: { labels: { app: 'web' } }, spec: { containers: [] } }, ...spec },
    status: { replicas: 0 },
  };
  const perNode = new Map<string, number>();
  for (const { spec: s } of pods) perNode.set(s?.nodeName ?? '', (perNode.get(s?.nodeName ?? '') ?? 0) + 1);
  return { set: replicaSetKind.read(set), pods, terminating: 0, adoptable: [], strays: [], perNode, ...extra };
}

const plan = (o: ObservedReplicas): string => printReplicaPlan(planReplicas(o));

test('missing pods are created, at most a burst at once', () => {
  assert.equal(plan(observed(3, [pod('a')])), 'create 2 pods: 1 of 3 wanted pods are there');
  assert.equal(plan(observed(900, [])), 'create 500 pods: 0 of 900 wanted pods are there');
  assert.equal(plan(observed(1, [pod('a')])), '');
});

test('of too many pods those go first that serve least', () => {
  const pods = [
    pod('old-and-ready', { readyFor: 90 }),
    pod('ready-lately', { readyFor: 10 }),
    pod('restarted', { readyFor: 90, restarts: 5 }),
    pod('cheap', { readyFor: 90, cost: -5 }),
    pod('dear-but-not-ready', { cost: 99 }),
    pod('pending', { phase: 'Pending' }),
    pod('no-node', { phase: 'Pending', node: '' }),
    pod('alone-on-its-node', { readyFor: 5, node: 'n2' }),
  ];
  const order = planReplicas(observed(0, pods)).map((step) => (step.do === 'delete' ? step.pod.metadata.name : step.do));
  assert.deepEqual(order, ['no-node', 'pending', 'dear-but-not-ready', 'cheap', 'ready-lately', 'restarted', 'old-and-ready', 'alone-on-its-node']);
});

test('pods that match are adopted and count; those that do not are let go', () => {
  const text = plan(observed(2, [pod('mine')], { adoptable: [pod('orphan')], strays: [pod('relabelled')] }));
  assert.equal(text, [
    'release pod relabelled: its labels do not match the selector any more',
    'adopt pod orphan: its labels match and nothing controls it',
  ].join('\n'));
});

test('a set that is being deleted makes no pods', () => {
  const one = observed(3, []);
  one.set.metadata = { ...one.set.metadata, deletionTimestamp: at(1) };
  assert.equal(plan(one), '');
});

test('the status counts pods, and available ones only after the wished time', () => {
  const one = observed(3, [pod('a', { readyFor: 60 }), pod('b', { readyFor: 10 }), pod('c')], { terminating: 1 }, { minReadySeconds: 30 });
  const status = replicaStatus(one, undefined, now);
  assert.deepEqual(status, { replicas: 3, fullyLabeledReplicas: 3, readyReplicas: 2, availableReplicas: 1, terminatingReplicas: 1, observedGeneration: 3 });
  assert.equal(nextAvailability(one, now), 20_000);
  one.set.status = status;
  assert.equal(replicaStatus(one, undefined, now), status);
});

test('a failure is told once, however its text changes, and taken back', () => {
  const one = observed(1, []);
  one.set.status = replicaStatus(one, { reason: 'FailedCreate', message: 'pods "web-1" is forbidden' }, now);
  assert.equal(one.set.status.conditions?.[0]?.message, 'pods "web-1" is forbidden');
  assert.equal(replicaStatus(one, { reason: 'FailedCreate', message: 'pods "web-2" is forbidden' }, now), one.set.status);
  assert.equal(replicaStatus(one, undefined, now).conditions, undefined);
});
