import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventMessage } from '#api/docker/events.ts';
import { VirtualClock } from '#lib/clock-virtual.ts';
import { EventLog, keptEvents } from './log.ts';

async function all(events: AsyncIterable<EventMessage>): Promise<string[]> {
  const seen: string[] = [];
  for await (const event of events) seen.push(`${event.Type} ${event.Action} ${event.Actor.ID}`);
  return seen;
}

test('past events to a time, filtered; times rise strictly', async () => {
  const clock = new VirtualClock();
  const log = new EventLog(clock);
  log.emit('container', 'create', 'c1', { name: 'web', image: 'redis:7', tier: 'a' });
  log.emit('container', 'exec_create: sh', 'c1', { name: 'web', image: 'redis:7' });
  log.emit('network', 'connect', 'n1', { container: 'c1', name: 'net' });
  log.emit('image', 'pull', 'redis:7', { name: 'redis' });
  await clock.advance(1000);
  const past = (filters: Record<string, string[]>): Promise<string[]> => all(log.read({ filters, until: BigInt(clock.now()) * 1_000_000n }, new AbortController().signal));
  assert.equal((await past({})).length, 4);
  assert.deepEqual(await past({ container: ['web'], type: ['container'] }), ['container create c1', 'container exec_create: sh c1']);
  assert.deepEqual(await past({ event: ['exec_create'] }), ['container exec_create: sh c1']);
  assert.deepEqual(await past({ label: ['tier=a'] }), ['container create c1']);
  assert.deepEqual(await past({ image: ['redis'], type: ['image', 'container'] }), ['container create c1', 'container exec_create: sh c1', 'image pull redis:7']);
  assert.deepEqual(await past({ plugin: ['x'] }), []);
  const events = log.read({ filters: {}, until: BigInt(clock.now()) * 1_000_000n }, new AbortController().signal);
  const times: number[] = [];
  for await (const event of events) times.push(event.timeNano);
  assert.ok(times.every((time, i) => i === 0 || time > (times[i - 1] ?? 0)));
});

test('live events end with the client, or at `until`; without `since` nothing past comes', async () => {
  const clock = new VirtualClock();
  const log = new EventLog(clock);
  log.emit('container', 'create', 'old');
  const gone = new AbortController();
  const live = all(log.read({ filters: {} }, gone.signal));
  const bounded = all(log.read({ filters: {}, until: BigInt(clock.now() + 500) * 1_000_000n }, new AbortController().signal));
  assert.equal(log.listeners, 2);
  log.emit('container', 'create', 'new');
  await clock.advance(1000);
  log.emit('container', 'create', 'late');
  gone.abort();
  assert.deepEqual(await live, ['container create new', 'container create late']);
  assert.deepEqual(await bounded, ['container create old', 'container create new']);
  assert.equal(log.listeners, 0);
});

test('only the newest are kept, and a listener that falls behind is told', async () => {
  const log = new EventLog(new VirtualClock());
  const slow = log.read({ filters: {} }, new AbortController().signal)[Symbol.asyncIterator]();
  for (let i = 0; i < 5000; i++) log.emit('container', 'create', String(i));
  let count = 0;
  await assert.rejects(async () => {
    while (!(await slow.next()).done) count++;
  }, /fell more than 4096 events behind/);
  assert.equal(count, 4096);
  assert.equal((await all(log.read({ filters: {}, since: 0n, until: 1n }, new AbortController().signal))).length, 0);
  assert.ok(keptEvents < 5000);
});
