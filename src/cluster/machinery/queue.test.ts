import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '#lib/clock-virtual.ts';
import { silentLogger } from '#lib/log.ts';
import { runController } from './controller.ts';
import { WorkQueue } from './queue.ts';

test('a key waits once, and comes again where it was added while it was worked on', async () => {
  const queue = new WorkQueue({ clock: new VirtualClock() });
  queue.add('a');
  queue.add('a');
  queue.add('b');
  assert.equal(queue.length, 2);
  assert.equal(await queue.take(), 'a');
  queue.add('a');
  assert.equal(await queue.take(), 'b');
  const third = queue.take();
  queue.done('a');
  assert.equal(await third, 'a');
  queue.done('a');
  assert.equal(queue.length, 0);
});

test('failures double the delay until the key succeeds', async () => {
  const clock = new VirtualClock();
  const queue = new WorkQueue({ clock, firstRetryMs: 10, longestRetryMs: 30 });
  const failedFor = async (ms: number): Promise<void> => {
    queue.addFailed('a');
    await clock.advance(ms - 1);
    assert.equal(queue.length, 0);
    await clock.advance(1);
    assert.equal(await queue.take(), 'a');
    queue.done('a');
  };
  for (const ms of [10, 20, 30, 30]) await failedFor(ms);
  queue.forget('a');
  await failedFor(10);
});

test('of several delays the earliest counts, and adding at once cancels them', async () => {
  const clock = new VirtualClock();
  const queue = new WorkQueue({ clock });
  queue.addAfter('a', 100);
  queue.addAfter('a', 50);
  queue.addAfter('a', 200);
  await clock.advance(49);
  assert.equal(queue.length, 0);
  await clock.advance(1);
  assert.equal(await queue.take(), 'a');
  queue.done('a');
  queue.addAfter('a', 100);
  queue.add('a');
  assert.equal(await queue.take(), 'a');
  queue.done('a');
  await clock.advance(1000);
  assert.equal(queue.length, 0);
});

test('a controller works on different keys side by side, tries failures again, and ends by its signal', async () => {
  const clock = new VirtualClock();
  const queue = new WorkQueue({ clock });
  const stop = new AbortController();
  const seen: string[] = [];
  let most = 0;
  let busy = 0;
  let failures = 2;
  const running = runController({
    name: 'test', queue, workers: 2, signal: stop.signal, log: silentLogger, clock,
    reconcile: async (key) => {
      most = Math.max(most, ++busy);
      await clock.sleep(10);
      busy--;
      if (key === 'fails' && failures-- > 0) throw new Error('not yet');
      seen.push(key);
      return key === 'later' && seen.filter((k) => k === 'later').length === 1 ? 500 : undefined;
    },
  });
  for (const key of ['a', 'b', 'fails', 'later']) queue.add(key);
  await clock.advance(400);
  assert.deepEqual(seen, ['a', 'b', 'later', 'fails']);
  await clock.advance(400);
  assert.deepEqual(seen, ['a', 'b', 'later', 'fails', 'later']);
  assert.equal(most, 2);
  stop.abort();
  await running;
});
