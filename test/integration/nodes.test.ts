/** Node life cycle and pod garbage collection against the real API server; the controllers' clock is moved by hand. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import type { Binding, Lease, Node, Pod } from '#api/kube/types.ts';
import { VirtualClock } from '#lib/clock-virtual.ts';
import { isFault } from '#lib/errors.ts';
import { silentLogger } from '#lib/log.ts';
import { systemRandom } from '#lib/random.ts';
import { leases, nodes, pods, serviceAccounts } from '#client/kube/resources.ts';
import type { KubeClient } from '#client/kube/types.ts';
import { pod, startTestServer } from '#cluster/apiserver/testing.ts';
import { nodeLifecycleController } from '#cluster/controllers/nodelifecycle/controller.ts';
import { podGarbageController } from '#cluster/controllers/podgc/controller.ts';
import { createEventRecorder } from '#cluster/machinery/events.ts';
import { createInformers } from '#cluster/machinery/informers.ts';
import type { ControllerFactory } from '#cluster/machinery/types.ts';
import { eventually } from './support.ts';

async function start(t: TestContext, factory: ControllerFactory): Promise<{ client: KubeClient; clock: VirtualClock }> {
  const server = await startTestServer(t);
  const client = server.api.localClient({ name: 'system:kube-controller-manager', groups: ['system:masters'] });
  const clock = new VirtualClock();
  const stop = new AbortController();
  const shared = { client, clock, log: silentLogger, random: systemRandom, signal: stop.signal };
  await client.create(serviceAccounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: 'default' } });
  const status = { conditions: [{ type: 'Ready', status: 'True' }] };
  await client.create<Node>(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' }, spec: {}, status });
  await client.create(pods, pod('web') as unknown as Pod);
  const binding: Binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'web', namespace: 'default' }, target: { kind: 'Node', name: 'n1' } };
  await client.create(pods, binding as unknown as Pod, { subresource: 'binding', name: 'web', namespace: 'default' });
  const controller = factory({ ...shared, informers: createInformers(shared), events: createEventRecorder(shared) });
  const running = controller.run();
  t.after(async () => {
    stop.abort();
    await running;
  });
  return { client, clock };
}

const taintsOf = async (client: KubeClient): Promise<string[]> =>
  ((await client.get<Node>(nodes, 'n1')).spec?.taints ?? []).map(({ key, effect }) => `${key}:${effect}`);

test('a node that falls silent is tainted, its pods leave after five minutes, and it is taken back when it speaks again', async (t) => {
  const { client, clock } = await start(t, nodeLifecycleController);
  const lease: Lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'n1', namespace: 'kube-node-lease' }, spec: { renewTime: '2026-01-01T00:00:00.000000Z' } };
  await client.create(leases, lease);
  const forward = async (seconds: number): Promise<void> => {
    for (let i = 0; i < seconds; i += 5) await clock.advance(5_000);
  };
  await eventually(async () => {
    await forward(5);
    assert.deepEqual(await taintsOf(client), ['node.kubernetes.io/unreachable:NoSchedule', 'node.kubernetes.io/unreachable:NoExecute']);
  });
  const ready = (await client.get<Node>(nodes, 'n1')).status?.conditions?.find(({ type }) => type === 'Ready');
  assert.deepEqual([ready?.status, ready?.reason], ['Unknown', 'NodeStatusUnknown']);
  await forward(200);
  assert.equal((await client.get<Pod>(pods, 'web', 'default')).metadata.deletionTimestamp, undefined);
  await eventually(async () => {
    await forward(20);
    assert.notEqual((await client.get<Pod>(pods, 'web', 'default')).metadata.deletionTimestamp, undefined);
  });
  await client.patch(nodes, 'n1', { type: 'merge', body: { status: { conditions: [{ type: 'Ready', status: 'True' }] } } }, { subresource: 'status' });
  await eventually(async () => {
    await client.patch(leases, 'n1', { type: 'merge', body: { spec: { renewTime: '2026-01-01T01:00:00.000000Z' } } }, { namespace: 'kube-node-lease' });
    await clock.advance(10);
    assert.deepEqual(await taintsOf(client), []);
  });
});

test('pods of a node that is gone are deleted', async (t) => {
  const { client, clock } = await start(t, podGarbageController);
  await clock.advance(60_000);
  await client.get<Pod>(pods, 'web', 'default');
  await client.delete(nodes, 'n1');
  await eventually(async () => {
    await clock.advance(20_000);
    await assert.rejects(client.get(pods, 'web', 'default'), (error) => isFault(error, 'not-found'));
  });
});
