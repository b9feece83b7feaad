import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Container, Pod } from '#api/kube/types.ts';
import type { Observation, ObservedContainer } from './observed.ts';
import { isoSeconds } from '#lib/clock.ts';
import { describePlan, planPod } from './plan.ts';
import { podStatus } from './status.ts';

const now = Date.UTC(2026, 0, 1);

const podOf = (spec: Partial<Pod['spec']> = {}, metadata: Partial<Pod['metadata']> = {}, status: Pod['status'] = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'default', uid: 'u', ...metadata },
  spec: { containers: [{ name: 'web', image: 'i' }], ...spec },
  status,
});

const attempt = (name: string, state: ObservedContainer['state'], changes: Partial<ObservedContainer> = {}): ObservedContainer => ({
  id: `${name}-id${changes.attempt ?? 0}`, name, attempt: 0, state, hash: 'i', image: 'i', imageId: 'sha256:i',
  ...(state === 'created' ? {} : { startedAt: now - 5000 }), ...(state === 'exited' ? { finishedAt: now - 1000, exitCode: 0 } : {}), ...changes,
});

const seenOf = (attempts: readonly ObservedContainer[], changes: Partial<Observation> = {}): Observation => {
  const byName = new Map<string, ObservedContainer[]>();
  for (const one of attempts) byName.set(one.name, [...(byName.get(one.name) ?? []), one]);
  return {
    now, nodeAddress: '10.0.0.1', podIp: '10.0.0.2', gone: false, prepared: true, sandbox: true, anything: true, attempts: byName,
    stopping: new Set(), probes: new Map(attempts.filter((one) => one.state === 'running').map((one) => [one.id, { started: true, ready: true, alive: true }])),
    failures: new Map(), streaks: new Map(), ...changes,
  };
};

const init: Container[] = [{ name: 'a', image: 'i' }, { name: 'side', image: 'i', restartPolicy: 'Always' }, { name: 'b', image: 'i' }];

describe('plan of a pod', () => {
  const cases: [what: string, pod: Pod, seen: Observation, plan: string][] = [
    ['a new pod', podOf(), seenOf([], { prepared: false, sandbox: false }), 'prepare (the pod is new)'],
    ['a prepared pod', podOf(), seenOf([]), 'start web #0 (it has not run yet)'],
    ['one that runs', podOf(), seenOf([attempt('web', 'running')]), ''],
    ['made and not started by the kubelet before', podOf(), seenOf([attempt('web', 'created')]), 'discard web (it was made and not started)\nstart web #0 (it has not run yet)'],
    ['init containers, from the first', podOf({ initContainers: init }), seenOf([]), 'start a #0 (it has not run yet)'],
    ['a sidecar after the first', podOf({ initContainers: init }), seenOf([attempt('a', 'exited')]), 'start side #0 (it has not run yet)'],
    ['the next only when the sidecar has started', podOf({ initContainers: init }), seenOf([attempt('a', 'exited'), attempt('side', 'running')], { probes: new Map([['side-id0', { started: false, ready: false, alive: true }]]) }), ''],
    ['and then', podOf({ initContainers: init }), seenOf([attempt('a', 'exited'), attempt('side', 'running')]), 'start b #0 (it has not run yet)'],
    ['all have done their part', podOf({ initContainers: init }), seenOf([attempt('a', 'exited'), attempt('side', 'running'), attempt('b', 'exited')]), 'start web #0 (it has not run yet)'],
    ['a sidecar that ended, beside a running container', podOf({ initContainers: init }), seenOf([attempt('a', 'exited'), attempt('side', 'exited'), attempt('b', 'exited'), attempt('web', 'running')]), 'start side #1 (it ended with 0)'],
    ['the first crash', podOf(), seenOf([attempt('web', 'exited', { exitCode: 1 })]), 'start web #1 (it ended with 1)'],
    ['the second crash waits', podOf(), seenOf([attempt('web', 'exited', { exitCode: 1, attempt: 1 })]), ''],
    ['no restart of success on failure', podOf({ restartPolicy: 'OnFailure' }), seenOf([attempt('web', 'exited')]), 'release (all containers have ended)'],
    ['a policy of its own', podOf({ containers: [{ name: 'web', image: 'i', restartPolicy: 'Never' }] }), seenOf([attempt('web', 'exited', { exitCode: 1 })]), 'release (all containers have ended)'],
    ['an exit code that its rules start again', podOf({ restartPolicy: 'Never', containers: [{ name: 'web', image: 'i', restartPolicy: 'Never', restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }] }] }), seenOf([attempt('web', 'exited', { exitCode: 42 })]), 'start web #1 (it ended with 42)'],
    ['an init container that may try again in a pod that may not', podOf({ restartPolicy: 'Never', initContainers: [{ name: 'a', image: 'i', restartPolicy: 'OnFailure' }] }), seenOf([attempt('a', 'exited', { exitCode: 1 })]), 'start a #1 (it ended with 1)'],
    ['never', podOf({ restartPolicy: 'Never' }), seenOf([attempt('web', 'exited', { exitCode: 1 })]), 'release (all containers have ended)'],
    ['a sidecar ends with the work', podOf({ restartPolicy: 'Never', initContainers: init }), seenOf([attempt('a', 'exited'), attempt('side', 'running'), attempt('b', 'exited'), attempt('web', 'exited')]), 'stop side within 30s (the pod has done its work)'],
    ['liveness', podOf(), seenOf([attempt('web', 'running')], { probes: new Map([['web-id0', { started: true, ready: false, alive: false }]]) }), 'stop web within 30s (its probe failed)'],
    ['another image', podOf(), seenOf([attempt('web', 'running', { hash: 'old' })]), 'stop web within 30s (its definition changed)'],
    ['deletion', podOf({}, { deletionTimestamp: 'x', deletionGracePeriodSeconds: 5 }), seenOf([attempt('web', 'running')]), 'stop web within 5s (the pod is being deleted)'],
    ['deletion under way', podOf({}, { deletionTimestamp: 'x' }), seenOf([attempt('web', 'running')], { stopping: new Set(['web-id0']) }), ''],
    ['sidecars last', podOf({ initContainers: init }, { deletionTimestamp: 'x' }), seenOf([attempt('side', 'running'), attempt('web', 'exited')]), 'stop side within 30s (the pod is being deleted)'],
    ['all ended', podOf({}, { deletionTimestamp: 'x' }), seenOf([attempt('web', 'exited')]), 'tear-down (all containers have ended)\nfinish (nothing of the pod is left)'],
    ['gone from the API', podOf(), seenOf([attempt('web', 'running')], { gone: true }), 'stop web within 0s (the pod is gone)'],
    ['a pod that had ended before is not begun again', podOf({}, {}, { phase: 'Failed' }), seenOf([], { prepared: false, sandbox: false }), ''],
    ['too long', podOf({ activeDeadlineSeconds: 10 }, {}, { startTime: new Date(now - 11_000).toISOString() }), seenOf([attempt('web', 'running')]), 'stop web within 30s (the pod was active longer than its deadline)'],
    ['old attempts', podOf(), seenOf([attempt('web', 'running', { attempt: 3 }), attempt('web', 'exited', { attempt: 2 }), attempt('web', 'exited', { attempt: 1 })]), 'discard web (newer attempts are kept)'],
  ];
  for (const [what, pod, seen, plan] of cases) it(what, () => assert.equal(describePlan(planPod(pod, seen)), plan));

  it('wakes for a back-off, a retry, a deadline', () => {
    assert.equal(planPod(podOf(), seenOf([attempt('web', 'exited', { exitCode: 1, attempt: 2 })])).wakeAt, now - 1000 + 20_000);
    const failures = new Map([['web', { reason: 'ErrImagePull', message: 'm', count: 1, retryAt: now + 7 }]]);
    assert.deepEqual(planPod(podOf(), seenOf([], { failures })), { operations: [], wakeAt: now + 7 });
    const pod = podOf({ activeDeadlineSeconds: 10 }, {}, { startTime: new Date(now).toISOString() });
    assert.equal(planPod(pod, seenOf([attempt('web', 'running')])).wakeAt, now + 10_000);
  });
});

describe('status of a pod', () => {
  const summary = (pod: Pod, seen: Observation): string => {
    const { phase, conditions, containerStatuses } = podStatus(pod, seen);
    const { state, ready, restartCount } = containerStatuses![0]!;
    const isTrue = conditions!.filter((one) => one.status === 'True').map((one) => one.type);
    return `${phase} ${state!.waiting?.reason ?? state!.terminated?.reason ?? 'running'} ready=${ready} #${restartCount} [${isTrue.join(' ')}]`;
  };
  const cases: [what: string, pod: Pod, seen: Observation, status: string][] = [
    ['new', podOf(), seenOf([], { prepared: false, sandbox: false }), 'Pending ContainerCreating ready=false #0 [Initialized PodScheduled]'],
    ['initializing', podOf({ initContainers: init }), seenOf([attempt('a', 'running')]), 'Pending PodInitializing ready=false #0 [PodReadyToStartContainers PodScheduled]'],
    ['running', podOf(), seenOf([attempt('web', 'running')]), 'Running running ready=true #0 [PodReadyToStartContainers Initialized Ready ContainersReady PodScheduled]'],
    ['in back-off', podOf(), seenOf([attempt('web', 'exited', { exitCode: 1, attempt: 4 })]), 'Running CrashLoopBackOff ready=false #4 [PodReadyToStartContainers Initialized PodScheduled]'],
    ['succeeded', podOf({ restartPolicy: 'Never' }), seenOf([attempt('web', 'exited')]), 'Succeeded Completed ready=false #0 [PodReadyToStartContainers Initialized PodScheduled]'],
    ['killed by the kernel', podOf({ restartPolicy: 'Never' }), seenOf([attempt('web', 'exited', { exitCode: 137, reason: 'OOMKilled' })]), 'Failed OOMKilled ready=false #0 [PodReadyToStartContainers Initialized PodScheduled]'],
    ['ended on a node that lost all of it', podOf({}, {}, { phase: 'Succeeded', containerStatuses: [{ name: 'web', state: { terminated: { exitCode: 0, reason: 'Completed' } }, ready: false, restartCount: 2, image: 'i', imageID: '' }] }), seenOf([], { prepared: false, sandbox: false }), 'Succeeded Completed ready=false #2 [Initialized PodScheduled]'],
  ];
  for (const [what, pod, seen, status] of cases) it(what, () => assert.equal(summary(pod, seen), status));

  it('tells the reason alone of a pod that is refused, also once the node has forgotten why', () => {
    const nothing = { prepared: false, sandbox: false };
    const status = podStatus(podOf(), seenOf([], { ...nothing, refused: { reason: 'OutOfcpu', message: 'm' } }));
    assert.deepEqual(status, { phase: 'Failed', reason: 'OutOfcpu', message: 'Pod was rejected: m', startTime: isoSeconds(now), qosClass: 'BestEffort' });
    assert.equal(podStatus(podOf({}, {}, status), seenOf([], nothing)).reason, 'OutOfcpu');
  });

  it('keeps the time of a condition that did not change, and waits for readiness gates', () => {
    const before = podOf({ readinessGates: [{ conditionType: 'example/gate' }] }, {}, { conditions: [{ type: 'Initialized', status: 'True', lastTransitionTime: '2020-01-01T00:00:00Z' }] });
    const { conditions } = podStatus(before, seenOf([attempt('web', 'running')]));
    assert.equal(conditions!.find((one) => one.type === 'Initialized')!.lastTransitionTime, '2020-01-01T00:00:00Z');
    assert.deepEqual(conditions!.filter((one) => one.type.endsWith('Ready')).map((one) => one.status), ['False', 'True']);
  });
});
