/** The time of day is set, by a day, while all works: nothing waits longer or shorter for it. See also the simulation's `set-clock`. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Node, Pod } from '#api/kube/types.ts';
import type { KubeClient } from '#client/kube/types.ts';
import { openAuthority } from '#cluster/apiserver/pki/authority.ts';
import { Expiry } from '#cluster/apiserver/storage/expiry.ts';
import { planNode } from '#cluster/controllers/nodelifecycle/plan.ts';
import { Pulses, TaintAges } from '#cluster/controllers/nodelifecycle/pulses.ts';
import type { NodeContext } from '#cluster/kubelet/types.ts';
import { projectedFiles } from '#cluster/kubelet/volumes/projected.ts';
import { createEventRecorder } from '#cluster/machinery/events.ts';
import { Expectations } from '#cluster/machinery/expectations.ts';
import { WorkQueue } from '#cluster/machinery/queue.ts';
import { createMemoryStore } from '#core/store/memory/store.ts';
import { isoSeconds } from '#lib/clock.ts';
import { VirtualClock } from '#lib/clock-virtual.ts';
import { silentLogger } from '#lib/log.ts';
import { seededRandom } from '#lib/random.ts';

const dayMs = 86_400_000;
const bothWays = [dayMs, -dayMs];
const node: Node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1', uid: 'u' }, spec: {} };

for (const byMs of bothWays) {
  const way = byMs > 0 ? 'forward' : 'back';

  test(`set ${way}: a key that is to be looked at sooner is, a node is not silent, what was expected is waited for`, async () => {
    const clock = new VirtualClock();
    const [queue, pulses, expectations] = [new WorkQueue({ clock }), new Pulses(clock), new Expectations(clock)];
    queue.addAfter('k', 60_000);
    pulses.silentMs(node, undefined);
    expectations.expectCreations('k', 1);
    clock.jump(byMs);
    queue.addAfter('k', 1000);
    assert.equal(pulses.silentMs(node, undefined), 0);
    assert.equal(expectations.met('k'), false);
    await clock.advance(1000);
    assert.equal(queue.length, 1);
    await clock.advance(10 * 60_000);
    assert.deepEqual([pulses.silentMs(node, undefined), expectations.met('k')], [601_000, true]);
  });

  test(`set ${way}: events are written still, and kept for an hour`, async () => {
    const clock = new VirtualClock();
    const store = createMemoryStore({ clock });
    const expiry = new Expiry(store, clock);
    const put = async (key: string): Promise<number> => store.put(key, Buffer.from('x'), { lease: await expiry.leaseFor('events') });
    await put('before');
    clock.jump(byMs);
    await clock.advance(2 * 3_600_000);
    await put('after');
    assert.deepEqual((await store.range('a', 'c')).entries.map(({ key }) => key), ['after']);
    const said: string[] = [];
    const client = { create: async (_: unknown, event: { reason: string }) => (said.push(event.reason), { metadata: { name: 'e' } }), patch: async () => ({}) } as unknown as KubeClient;
    const events = createEventRecorder({ client, clock, random: seededRandom(1), log: silentLogger, signal: new AbortController().signal, host: 'h' });
    for (let i = 0; i < 100; i++) events.record('c', node, 'Normal', `R${i}`, 'again and again');
    clock.jump(-byMs);
    await clock.advance(dayMs);
    events.record('c', node, 'Normal', 'Later', 'once more');
    await events.flush();
    assert.ok(said.length < 100 && said.at(-1) === 'Later', said.at(-1));
    await store.close();
  });

  test(`set ${way}: a pod stays on a node that has just been lost as long as it tolerates that, and no longer`, async () => {
    const clock = new VirtualClock();
    const [ages, wall] = [new TaintAges(clock), isoSeconds(clock.now())];
    const tainted: Node = { ...node, spec: { taints: [{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: wall }] } };
    const pod = { metadata: { name: 'p', namespace: 'default' }, spec: { tolerations: [{ operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }] } } as Pod;
    const evictions = (): number => planNode({ node: tainted, silentMs: 50_000, pods: [pod], taintMs: ages.of(tainted) }, clock.now()).operations.filter(({ do: what }) => what === 'evict').length;
    assert.equal(evictions(), 0);
    clock.jump(byMs);
    await clock.advance(295_000);
    assert.equal(evictions(), 0);
    await clock.advance(6_000);
    assert.equal(evictions(), 1);
  });

  test(`set ${way}: a pod gets a token that counts now`, async () => {
    const clock = new VirtualClock();
    let given = 0;
    const request = async () => ({ status: { token: `t${++given}`, expirationTimestamp: new Date(clock.now() + 3_600_000).toISOString() } });
    const pod = { metadata: { name: 'p', namespace: 'default', uid: 'u' }, spec: {} } as Pod;
    const volume = { name: 'v', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } };
    const context = { pod, volume, node: { clock, tokens: new Map(), client: { request } } as unknown as NodeContext } as Parameters<typeof projectedFiles>[0];
    const token = async (): Promise<string> => Buffer.from((await projectedFiles(context))[0]?.data ?? '').toString();
    assert.deepEqual([await token(), await token()], ['t1', 't1']);
    clock.jump(byMs);
    assert.deepEqual([await token(), await token()], ['t2', 't2']);
  });
}

test('certificates count on a clock that is set back by days', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-pki-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const clock = new VirtualClock();
  const authority = await openAuthority(directory, { clock, random: seededRandom(1) });
  const leaf = await authority.issueClient({ commonName: 'c', organizations: [] });
  for (const pem of [authority.certificate, leaf.certificate]) {
    const { validFrom, validTo } = new X509Certificate(pem);
    assert.ok(Date.parse(validFrom) < clock.now() - 3 * dayMs && Date.parse(validTo) > clock.now() + 300 * dayMs, `${validFrom} ${validTo}`);
  }
});
