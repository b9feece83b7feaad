import assert from 'node:assert/strict';
import { cpus } from 'node:os';
import { after, before, describe, it } from 'node:test';
import type { Pod } from '#api/kube/types.ts';
import { monotonicMs } from '#lib/clock.ts';
import { openSimNode } from './testing-sim.ts';
import type { SimNode } from './testing-sim.ts';

const second = 1000;
const pods = { group: '', version: 'v1', resource: 'pods' };

describe('kubelet: in virtual time', () => {
  let node: SimNode;
  before(async () => (node = await openSimNode()));
  after(() => node.end());

  const starts = (name: string): number[] => {
    const times: number[] = [];
    node.core.containers.observe(({ type, status }) => {
      if (type === 'started' && status.labels['io.kubernetes.pod.name'] === name) times.push(status.startedAt!);
    });
    return times;
  };
  /** When it was started, by the clock that never jumps. */
  const waitsOf = (name: string): number[] => {
    const times: number[] = [];
    node.core.containers.observe(({ type, status }) => {
      if (type === 'started' && status.labels['io.kubernetes.pod.name'] === name) times.push(monotonicMs(node.clock));
    });
    return times;
  };
  const waits = (times: readonly number[]): number[] => times.slice(1).map((at, index) => Math.round((at - times[index]!) / second));
  const stateOf = (name: string) => node.pod(name)!.status!.containerStatuses![0]!;

  it('starts a crashing container again at once, then after 10 s doubling to 5 min', async () => {
    const times = starts('crash');
    node.run('crash', { containers: [{ name: 'main', image: 'present', command: ['sh', '-c', 'exit 1'] }] });
    for (let i = 0; i < 150; i++) await node.clock.advance(10 * second);
    assert.deepEqual(waits(times), [0, 10, 20, 40, 80, 160, 300, 300, 300]);
    assert.equal(stateOf('crash').state!.waiting!.reason, 'CrashLoopBackOff');
    assert.match(stateOf('crash').state!.waiting!.message!, /back-off 300s restarting failed container=main/);
    // The newest two attempts are kept.
    assert.equal(node.core.containers.list().length, 2);
    node.api.delete(pods, 'crash', 'default', 0);
    await node.clock.advance(second);
  });

  it('waits as long when the clock is set back or forward', async () => {
    const starts = waitsOf('set');
    node.run('set', { containers: [{ name: 'main', image: 'present', command: ['sh', '-c', 'exit 1'] }] });
    for (let i = 0; i < 150; i++) {
      if (i === 5) node.clock.jump(-24 * 3600 * second);
      await node.clock.advance(10 * second);
    }
    assert.deepEqual(waits(starts), [0, 10, 20, 40, 80, 160, 300, 300, 300]);
    node.clock.jump(24 * 3600 * second);
    node.api.delete(pods, 'set', 'default', 0);
    await node.clock.advance(second);
  });

  it('forgets crashes after a run of ten minutes', async () => {
    const times = starts('long');
    node.run('long', { containers: [{ name: 'main', image: 'present', command: ['sleep', '700'] }] });
    for (let i = 0; i < 230; i++) await node.clock.advance(10 * second);
    assert.deepEqual(waits(times), [700, 700, 700]);
    node.api.delete(pods, 'long', 'default', 0);
    await node.clock.advance(second);
  });

  it('asks a registry ever less often for what it has not', async () => {
    node.run('missing', { containers: [{ name: 'main', image: 'absent' }] });
    for (let i = 0; i < 70; i++) await node.clock.advance(10 * second);
    assert.deepEqual(waits(node.pulls), [10, 20, 40, 80, 160, 300]);
    assert.equal(stateOf('missing').state!.waiting!.reason, 'ImagePullBackOff');
    node.api.delete(pods, 'missing', 'default', 0);
    await node.clock.advance(second);
  });

  it('keeps to deadlines and grace periods', async () => {
    node.run('deadline', { activeDeadlineSeconds: 60, terminationGracePeriodSeconds: 20 });
    await node.clock.advance(59 * second);
    assert.equal(node.pod('deadline')!.status!.phase, 'Running');
    await node.clock.advance(10 * second);
    assert.equal(stateOf('deadline').state!.running !== undefined, true);
    await node.clock.advance(15 * second);
    assert.deepEqual([node.pod('deadline')!.status!.phase, node.pod('deadline')!.status!.reason], ['Failed', 'DeadlineExceeded']);

    node.run('grace', {});
    await node.clock.advance(second);
    node.api.delete(pods, 'grace', 'default', 40);
    await node.clock.advance(39 * second);
    assert.ok(node.pod('grace'));
    await node.clock.advance(2 * second);
    assert.equal(node.pod('grace'), undefined);
  });

  it('shortens a grace period that is already running', async () => {
    node.run('hurry', {});
    await node.clock.advance(second);
    node.api.delete(pods, 'hurry', 'default', 1000);
    await node.clock.advance(5 * second);
    node.api.delete(pods, 'hurry', 'default', 3);
    await node.clock.advance(4 * second);
    assert.equal(node.pod('hurry'), undefined);
  });

  it('refuses a pod that was sent here by hand and does not fit, as long as there is no room', async () => {
    const asking = (cpu: string): Partial<Pod['spec']> => ({ containers: [{ name: 'main', image: 'present', command: ['sleep', '1000000'], resources: { requests: { cpu } } }], terminationGracePeriodSeconds: 0 });
    const all = cpus().length;
    node.run('full', asking(String(all)));
    node.run('more', asking('100m'));
    await node.clock.advance(second);
    assert.equal(node.pod('full')!.status!.phase, 'Running');
    const { phase, reason, message } = node.pod('more')!.status!;
    assert.deepEqual([phase, reason, message], ['Failed', 'OutOfcpu', `Pod was rejected: Node didn't have enough resource: cpu, requested: 100, used: ${all * 1000}, capacity: ${all * 1000}`]);
    // In one go: the room is free with the object, whatever is left to do on the node.
    node.api.delete(pods, 'full', 'default', 0);
    node.run('next', asking(String(all)));
    await node.clock.advance(second);
    assert.equal(node.pod('next')!.status!.phase, 'Running');
    for (const name of ['more', 'next']) node.api.delete(pods, name, 'default', 0);
    await node.clock.advance(second);
  });

  it('renews its lease every ten seconds', async () => {
    const renewed = (): string => (node.api.objects.get('leases/kube-node-lease/node-1') as unknown as { spec: { renewTime: string } }).spec.renewTime;
    const first = Date.parse(renewed());
    await node.clock.advance(30 * second);
    assert.equal(Date.parse(renewed()) - first, 30 * second);
  });
});
