import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from './clock-virtual.ts';

test('what falls due runs by its time, and of the same time in the order in which it was asked for', async () => {
  const clock = new VirtualClock(0);
  const ran: string[] = [];
  const at = (ms: number, name: string): ReturnType<VirtualClock['after']> => clock.after(ms, () => ran.push(`${name}@${clock.now()}`));
  for (const [ms, name] of [[5, 'e'], [1, 'a'], [3, 'c'], [1, 'b'], [4, 'd'], [9, 'late']] as const) at(ms, name);
  at(2, 'cancelled').cancel();
  clock.after(3, () => at(0, 'at once'));
  await clock.advance(5);
  assert.deepEqual(ran, ['a@1', 'b@1', 'c@3', 'at once@3', 'd@4', 'e@5']);
  assert.equal(clock.now(), 5);
});

test('of thousands in any order each runs at its time', async () => {
  const clock = new VirtualClock(0);
  const ran: number[] = [];
  for (let i = 0; i < 2000; i++) clock.after((i * 7919) % 1009, () => ran.push(clock.now()));
  await clock.advance(2000);
  assert.equal(ran.length, 2000);
  assert.deepEqual(ran, [...ran].sort((a, b) => a - b));
});
