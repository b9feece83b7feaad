import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, Pod, PodSpec, Taint } from '#api/kube/types.ts';
import { seededRandom } from '#lib/random.ts';
import { decide, decisionText } from './plan.ts';
import { podRequests } from '#cluster/machinery/requests.ts';
import { roomOf } from './room.ts';
import type { NodeRoom } from './types.ts';

function pod(spec: Partial<PodSpec> = {}, metadata: Pod['metadata'] = {}): Pod {
  const containers = [{ name: 'main', image: 'app' }];
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'default', ...metadata }, spec: { containers, ...spec } };
}

function asking(requests: Record<string, string>): Partial<PodSpec> {
  return { containers: [{ name: 'main', image: 'app', resources: { requests } }] };
}

function room(name: string, fields: { labels?: Record<string, string>; taints?: Taint[]; cpu?: string; cordoned?: boolean; pods?: Pod[] } = {}): NodeRoom {
  const { labels = {}, taints = [], cpu = '2', cordoned = false, pods = [] } = fields;
  const node: Node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels },
    spec: { taints, ...(cordoned && { unschedulable: true }) },
    status: { allocatable: { cpu, memory: '4Gi', pods: '3' } },
  };
  return roomOf(node, pods);
}

function said(asked: Pod, ...rooms: NodeRoom[]): string {
  return decisionText(asked, decide(asked, { rooms, namespaceLabels: (name) => ({ team: name }) }, seededRandom(1)));
}

const required = (key: string, operator: string, values: string[]): Partial<PodSpec> => ({
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key, operator, values }] }] } } },
});

test('a pod goes where there is room; where there is none, each reason is counted', () => {
  const big = pod(asking({ cpu: '1500m' }));
  assert.equal(said(big, room('a', { cpu: '1' }), room('b')), 'bind default/web to b');
  assert.equal(said(big, room('a', { cpu: '1' })), 'hold default/web: 0/1 nodes are available: 1 Insufficient cpu.');
  const full = room('c', { pods: [pod(), pod(), pod()] });
  const all = said(big, room('a', { cpu: '1' }), room('b', { pods: [big] }), full, room('d', { cordoned: true }));
  assert.equal(all, 'hold default/web: 0/4 nodes are available: 1 Too many pods, 1 node(s) were unschedulable, 2 Insufficient cpu.');
  assert.equal(said(big), 'hold default/web: no nodes available to schedule pods');
});

test('selectors and required node affinity keep nodes out', () => {
  const ssd = room('ssd', { labels: { disk: 'ssd', size: '9' } });
  const text = "hold default/web: 0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.";
  assert.equal(said(pod({ nodeSelector: { disk: 'ssd' } }), room('a'), ssd), 'bind default/web to ssd');
  assert.equal(said(pod({ nodeSelector: { disk: 'hdd' } }), ssd), text);
  assert.equal(said(pod(required('size', 'Gt', ['8'])), room('a'), ssd), 'bind default/web to ssd');
  assert.equal(said(pod(required('disk', 'NotIn', ['ssd'])), ssd), text);
});

test('taints keep out what does not tolerate them', () => {
  const tainted = room('a', { taints: [{ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }] });
  const text = 'hold default/web: 0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.';
  assert.equal(said(pod(), tainted), text);
  assert.equal(said(pod({ tolerations: [{ key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' }] }), tainted), text);
  assert.equal(said(pod({ tolerations: [{ operator: 'Exists' }] }), tainted), 'bind default/web to a');
  const rather = room('b', { taints: [{ key: 'x', effect: 'PreferNoSchedule' }] });
  assert.equal(said(pod(), rather, room('c')), 'bind default/web to c');
});

test('two pods do not share a port of the node, except on different addresses', () => {
  const on = (hostIP: string, protocol = 'TCP'): Pod => pod({ containers: [{ name: 'main', image: 'app', ports: [{ containerPort: 80, hostPort: 8080, hostIP, protocol }] }] });
  const text = "hold default/web: 0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.";
  assert.equal(said(on('127.0.0.1'), room('a', { pods: [on('')] })), text);
  assert.equal(said(on('127.0.0.1'), room('a', { pods: [on('127.0.0.2')] })), 'bind default/web to a');
  assert.equal(said(on('', 'UDP'), room('a', { pods: [on('')] })), 'bind default/web to a');
});

test('copies of one workload spread; else the emptier node is taken', () => {
  const ownerReferences = [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'u1', controller: true }];
  const copy = pod({}, { ownerReferences });
  const other = pod(asking({ cpu: '100m' }));
  assert.equal(said(copy, room('a', { pods: [copy] }), room('b', { pods: [other] })), 'bind default/web to b');
  assert.equal(said(pod(), room('a', { pods: [pod(asking({ cpu: '1' }))] }), room('b', { pods: [other] })), 'bind default/web to b');
});

test('a pod asks for its containers together, or for its hungriest init step', () => {
  const container = (cpu: string, restartPolicy?: string): PodSpec['containers'][number] => ({
    name: 'c', image: 'app', resources: { requests: { cpu } }, ...(restartPolicy && { restartPolicy }),
  });
  const spec = { containers: [container('100m'), container('200m')], initContainers: [container('50m', 'Always'), container('400m')], overhead: { cpu: '10m' } };
  assert.deepEqual(podRequests(pod(spec)), { cpu: 460, pods: 1 });
});

const zone = (name: string, where: string, ...pods: Pod[]): NodeRoom => room(name, { labels: { zone: where }, pods });
const app = (name: string, namespace = 'default', spec: Partial<PodSpec> = {}): Pod => pod(spec, { name, namespace, labels: { app: name } });

test('a pod goes near what it must be near, in the namespaces that it names; the first of its kind goes anywhere', () => {
  const near = (name: string, namespaces?: object): Partial<PodSpec> => ({
    affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone', labelSelector: { matchLabels: { app: name } }, ...namespaces }] } },
  });
  const rooms = [zone('a', 'north', app('db')), zone('b', 'south', app('cache', 'other'))];
  assert.equal(said(pod(near('db')), ...rooms), 'bind default/web to a');
  assert.equal(said(pod(near('cache')), ...rooms), "hold default/web: 0/2 nodes are available: 2 node(s) didn't match pod affinity rules.");
  assert.equal(said(pod(near('cache', { namespaces: ['other'] })), ...rooms), 'bind default/web to b');
  assert.equal(said(pod(near('cache', { namespaceSelector: { matchLabels: { team: 'other' } } })), ...rooms), 'bind default/web to b');
  assert.equal(said(app('web', 'default', near('web')), zone('b', 'south')), 'bind default/web to b');
});

test('a pod stays away from what it, or they, will not be near', () => {
  const term = { topologyKey: 'zone', labelSelector: { matchLabels: { app: 'web' } } };
  const apart: Partial<PodSpec> = { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } };
  const rooms = [zone('a', 'north', app('web')), zone('b', 'north'), zone('c', 'south')];
  assert.equal(said(pod(apart), ...rooms), 'bind default/web to c');
  assert.equal(said(pod(apart), ...rooms.slice(0, 2)), "hold default/web: 0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.");
  const shy = app('shy', 'default', apart);
  assert.equal(said(app('web'), zone('a', 'north', shy)), "hold default/web: 0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules.");
  const rather: Partial<PodSpec> = { affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm: term }] } } };
  assert.equal(said(pod(rather), ...rooms), 'bind default/web to c');
});

test('spread constraints bound how uneven domains become', () => {
  const spread = (whenUnsatisfiable: string): Pod =>
    app('web', 'default', { topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable, labelSelector: { matchLabels: { app: 'web' } } }] });
  const rooms = [zone('a', 'north', app('web')), zone('b', 'south'), room('c')];
  assert.equal(said(spread('DoNotSchedule'), ...rooms), 'bind default/web to b');
  const full = [zone('a', 'north', app('web')), { ...zone('b', 'south'), allocatable: {} }, room('c')];
  assert.equal(said(spread('DoNotSchedule'), ...full).replace(/.*available: /, ''),
    "1 Too many pods, 1 node(s) didn't match pod topology spread constraints, 1 node(s) didn't match pod topology spread constraints (missing required label).");
  const stranger = { ...spread('DoNotSchedule'), metadata: { ...spread('DoNotSchedule').metadata, labels: { app: 'other' } } };
  assert.equal(said(stranger, ...full), 'bind default/web to a', 'one that its own selector does not pick makes nothing more uneven');
  assert.equal(said(spread('ScheduleAnyway'), zone('a', 'north', app('web')), zone('b', 'south')), 'bind default/web to b');
});
