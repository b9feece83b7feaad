import assert from 'node:assert/strict';
import { test } from 'node:test';
import { millisOfTime } from '#api/kube/time.ts';
import type { Node, NodeCondition, Pod, Taint, Toleration } from '#api/kube/types.ts';
import { isoSeconds } from '#lib/clock.ts';
import { VirtualClock } from '#lib/clock-virtual.ts';
import { planText } from '../planned.ts';
import { nodeGraceMs, planNode, type Sight } from './plan.ts';
import { Pulses } from './pulses.ts';

const now = Date.UTC(2026, 0, 1, 12);
const ready = (status: string): NodeCondition => ({ type: 'Ready', status, lastHeartbeatTime: isoSeconds(now), lastTransitionTime: isoSeconds(now) });
const node = (conditions: NodeCondition[], spec: Node['spec'] = {}): Node => ({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1', uid: 'u1' }, spec, status: { conditions } });
const noExecute = (name: string, secondsAgo = 0): Taint => ({ key: `node.kubernetes.io/${name}`, effect: 'NoExecute', timeAdded: isoSeconds(now - secondsAgo * 1000) });
const noSchedule = (name: string): Taint => ({ key: `node.kubernetes.io/${name}`, effect: 'NoSchedule' });

function pod(name: string, tolerations: Toleration[] = []): Pod {
  const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default', uid: name }, spec: { nodeName: 'n1', containers: [], tolerations }, status };
}

const taintMs = ({ timeAdded }: Taint): number => now - millisOfTime(timeAdded ?? isoSeconds(now));

const plan = (of: Node, silentMs = 0, pods: Pod[] = []): string[] => {
  const { operations, againMs } = planNode({ node: of, silentMs, pods, taintMs }, now);
  return [...planText(operations).split('\n').filter((line) => line !== ''), `again ${againMs}`];
};

test('a node that is heard of is left alone, and looked at when its grace ends', () => {
  assert.deepEqual(plan(node([ready('True')]), 10_000), ['again 30000']);
});

test('a silent node becomes unknown, then tainted, its pods not ready, and evicted when their patience ends', () => {
  assert.deepEqual(plan(node([ready('True')]), nodeGraceMs), ['mark node n1 unknown: it was silent for 40 s', 'again undefined']);
  const [first] = planNode({ node: node([ready('True')]), silentMs: nodeGraceMs, pods: [], taintMs }, now).operations;
  assert.ok(first?.do === 'set-conditions');
  assert.deepEqual(first.conditions.map(({ type, status, reason }) => `${type} ${status} ${reason}`), [
    'Ready Unknown NodeStatusUnknown', 'MemoryPressure Unknown NodeStatusNeverUpdated', 'DiskPressure Unknown NodeStatusNeverUpdated', 'PIDPressure Unknown NodeStatusNeverUpdated',
  ]);
  const unknown = first.conditions;
  assert.deepEqual(plan(node(unknown), 50_000, [pod('web')]), [
    'taint node n1: node.kubernetes.io/unreachable:NoSchedule, node.kubernetes.io/unreachable:NoExecute',
    'mark pod default/web not ready: node n1 is unreachable',
    'again undefined',
  ]);
  const tainted = node(unknown, { taints: [noSchedule('unreachable'), noExecute('unreachable', 100)] });
  const patient = (seconds?: number): Toleration => ({ key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', ...(seconds !== undefined && { tolerationSeconds: seconds }) });
  const pods = [pod('impatient'), pod('waits', [patient(300)]), pod('waited', [patient(60)]), pod('stays', [patient()])]
    .map((one) => ({ ...one, status: { phase: 'Running' } }));
  assert.deepEqual(plan(tainted, 200_000, pods), [
    'evict pod default/impatient: it does not tolerate node.kubernetes.io/unreachable',
    'evict pod default/waited: it does not tolerate node.kubernetes.io/unreachable any longer',
    'again 200000',
  ]);
});

test('what is seen of a node counts before its silence: without an agent it serves on, cut off it does not', () => {
  const seen = (of: Node, what: Sight['what'], silentMs: number, forMs: number, pods: Pod[] = []): string[] => planText(planNode({ node: of, silentMs, sight: { what, forMs }, pods, taintMs }, now).operations).split('\n').filter((line) => line !== '');
  assert.deepEqual(seen(node([ready('True')]), 'agent', 10_000, 60_000), []);
  assert.deepEqual(seen(node([ready('True')]), 'no-agent', 4_000, 3_000), ['mark node n1 unknown: nothing listens where its agent did']);
  assert.deepEqual(seen(node([ready('True')]), 'no-agent', 1_000, 3_000), [], 'it was heard of since');
  const [first] = planNode({ node: node([ready('True')]), silentMs: 2_000, sight: { what: 'cut-off', forMs: 1_500 }, pods: [], taintMs }, now).operations;
  assert.ok(first?.do === 'set-conditions');
  assert.deepEqual(first.conditions.filter(({ type }) => ['Ready', 'NetworkUnavailable'].includes(type)).map(({ type, status, reason }) => `${type} ${status} ${reason}`), ['Ready Unknown NodeStatusUnknown', 'NetworkUnavailable True NodeUnreachable']);
  const taints = [noSchedule('unreachable'), noExecute('unreachable'), noSchedule('network-unavailable')];
  const lost = node(first.conditions, { taints });
  const patient: Toleration[] = [{ key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' }];
  assert.deepEqual(seen(lost, 'cut-off', 5_000, 4_000, [pod('web', patient)]), ['mark pod default/web not ready: node n1 is unreachable']);
  const silent = node([{ ...ready('Unknown') }], { taints: taints.slice(0, 2) });
  const unknown = node(first.conditions.filter(({ type }) => type !== 'NetworkUnavailable'), silent.spec);
  assert.deepEqual(seen(unknown, 'no-agent', 90_000, 80_000, [pod('web', patient)]), []);
  assert.deepEqual(seen(unknown, 'agent', 90_000, 80_000, [pod('web', patient)]), [], 'one that hangs serves on, too');
  assert.deepEqual(seen(node([ready('True'), ...first.conditions.slice(-1)], { taints: taints.slice(2) }), 'agent', 0, 100), ['mark node n1 reachable: it answers']);
});

test('taints follow the conditions, and those of others stay', () => {
  const foreign: Taint = { key: 'mine', value: 'x', effect: 'NoExecute' };
  const back = node([ready('True')], { taints: [noSchedule('unreachable'), noExecute('unreachable'), foreign] });
  assert.deepEqual(plan(back), ['taint node n1: mine:NoExecute', 'again 40000']);
  const cordoned = node([ready('False'), { type: 'DiskPressure', status: 'True' }], { unschedulable: true });
  assert.deepEqual(plan(cordoned)[0], 'taint node n1: node.kubernetes.io/not-ready:NoSchedule, node.kubernetes.io/not-ready:NoExecute, node.kubernetes.io/disk-pressure:NoSchedule, node.kubernetes.io/unschedulable:NoSchedule');
  assert.deepEqual(plan(node([]), 1000), ['taint node n1: node.kubernetes.io/not-ready:NoSchedule', 'again 59000']);
});

test('a node is silent from when its last sign was seen, by our own clock', async () => {
  const clock = new VirtualClock();
  const pulses = new Pulses(clock);
  const lease = (renewTime: string): Parameters<Pulses['silentMs']>[1] => ({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: {}, spec: { renewTime } });
  assert.equal(pulses.silentMs(node([ready('True')]), lease('long ago')), 0);
  await clock.advance(30_000);
  assert.equal(pulses.silentMs(node([ready('True')]), lease('long ago')), 30_000);
  assert.equal(pulses.silentMs(node([ready('True')]), lease('renewed')), 0);
});
