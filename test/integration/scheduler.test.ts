/** The scheduler against the real API server, by the in-process client. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, Pod } from '#api/kube/types.ts';
import { systemClock } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import { silentLogger } from '#lib/log.ts';
import { systemRandom } from '#lib/random.ts';
import { nodes, pods, serviceAccounts } from '#client/kube/resources.ts';
import type { KubeClient, ResourceRef, WatchOptions } from '#client/kube/types.ts';
import { pod, startTestServer } from '#cluster/apiserver/testing.ts';
import { startScheduler } from '#cluster/scheduler/scheduler.ts';
import { eventually } from './support.ts';

test('pods wait for a node, are bound when one comes, and take each other\'s room into account', async (t) => {
  const server = await startTestServer(t);
  const client = server.api.localClient({ name: 'system:kube-scheduler', groups: ['system:masters'] });
  const stop = new AbortController();
  const scheduler = startScheduler({ client, clock: systemClock, log: silentLogger, random: systemRandom, signal: stop.signal });
  t.after(async () => {
    stop.abort();
    await scheduler;
  });
  const asking = (cpu: string): object => ({ containers: [{ name: 'main', image: 'busybox', resources: { requests: { cpu } } }] });
  const read = (name: string): Promise<Pod> => client.get<Pod>(pods, name, 'default');
  await client.create(serviceAccounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: 'default' } });
  for (const name of ['a', 'b', 'c']) await client.create(pods, pod(name, asking('600m')) as unknown as Pod);
  await eventually(async () => {
    const condition = (await read('a')).status?.conditions?.find(({ type }) => type === 'PodScheduled');
    assert.deepEqual([condition?.status, condition?.reason, condition?.message], ['False', 'Unschedulable', 'no nodes available to schedule pods']);
  });
  const node: Node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' }, spec: {}, status: { allocatable: { cpu: '1300m', memory: '1Gi', pods: '10' } } };
  await client.create(nodes, node);
  const bound = async (): Promise<string[]> => {
    const all = (await client.list<Pod>(pods, { namespace: 'default' })).items;
    return all.filter(({ spec }) => spec.nodeName === 'n1').map(({ metadata }) => metadata.name ?? '');
  };
  await eventually(async () => assert.equal((await bound()).length, 2));
  await eventually(async () => {
    const names = await bound();
    const left = ['a', 'b', 'c'].filter((name) => !names.includes(name));
    assert.equal(left.length, 1);
    const condition = (await read(left[0] ?? '')).status?.conditions?.find(({ type }) => type === 'PodScheduled');
    assert.equal(condition?.message, '0/1 nodes are available: 1 Insufficient cpu.');
  });
  await client.create(pods, pod('gated', { schedulingGates: [{ name: 'example.com/wait' }] }) as unknown as Pod);
  await eventually(async () => {
    const condition = (await read('gated')).status?.conditions?.find(({ type }) => type === 'PodScheduled');
    assert.equal(condition?.reason, 'SchedulingGated');
  });
  await client.patch(pods, 'gated', { type: 'merge', body: { spec: { schedulingGates: null } } }, { namespace: 'default' });
  await eventually(async () => assert.ok((await bound()).includes('gated')));
  await client.delete(pods, 'gated', { namespace: 'default', gracePeriodSeconds: 0 });
  const [first = ''] = (await bound()).filter((name) => name !== 'gated');
  await client.delete(pods, first, { namespace: 'default', gracePeriodSeconds: 0 });
  await eventually(async () => assert.equal((await bound()).length, 2));
});

test('a binding that was made and not answered takes its room, though no watch has shown it yet', async (t) => {
  const server = await startTestServer(t);
  const client = server.api.localClient({ name: 'system:kube-scheduler', groups: ['system:masters'] });
  const stop = new AbortController();
  let bindings = 0;
  const create: KubeClient['create'] = async (ref, object, options) => {
    const created = await client.create(ref, object, options);
    if (options?.subresource !== 'binding' || ++bindings > 1) return created;
    throw new Fault('timeout', 'no answer');
  };
  const late: KubeClient = {
    get: (...call) => client.get(...call), list: (...call) => client.list(...call), update: (...call) => client.update(...call), patch: (...call) => client.patch(...call),
    delete: (...call) => client.delete(...call), request: (...call) => client.request(...call), stream: (...call) => client.stream(...call), create,
    watch: async function* <T>(ref: ResourceRef, options: WatchOptions) {
      for await (const event of client.watch<T>(ref, options)) {
        const { spec } = event.object as Partial<Pod>;
        if (ref.resource !== 'pods' || spec?.nodeName === undefined) yield event;
      }
    },
  };
  const room = { cpu: '1', memory: '1Gi', pods: '10' };
  await client.create<Node>(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' }, spec: {}, status: { allocatable: room } });
  await client.create(serviceAccounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: 'default' } });
  const asking = { containers: [{ name: 'main', image: 'busybox', resources: { requests: { cpu: '600m' } } }] };
  const scheduler = startScheduler({ client: late, clock: systemClock, log: silentLogger, random: systemRandom, signal: stop.signal });
  t.after(async () => {
    stop.abort();
    await scheduler;
  });
  await client.create(pods, pod('a', asking) as unknown as Pod);
  await eventually(() => Promise.resolve(assert.equal(bindings, 1)));
  await client.create(pods, pod('b', asking) as unknown as Pod);
  await eventually(async () => {
    const all = (await client.list<Pod>(pods, { namespace: 'default' })).items;
    assert.equal(all.flatMap(({ status }) => status?.conditions ?? []).find(({ reason }) => reason === 'Unschedulable')?.message, '0/1 nodes are available: 1 Insufficient cpu.');
  });
  assert.equal(bindings, 1);
});
