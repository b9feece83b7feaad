import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '#lib/clock-virtual.ts';
import { fakeMemory, type FakeMemory } from '#sys/memory/fake.ts';
import { giveBackAtRest, lookMs, restingLooks, restingShare, worthBytes } from './rest.ts';

function started(): { clock: VirtualClock; memory: FakeMemory; looks: (count: number, share?: number) => Promise<void> } {
  const clock = new VirtualClock();
  const memory = fakeMemory();
  giveBackAtRest(memory, clock);
  const looks = async (count: number, share = 0): Promise<void> => {
    for (let i = 0; i < count; i++) {
      memory.processor += share * lookMs;
      await clock.advance(lookMs);
    }
  };
  return { clock, memory, looks };
}

void test('what was freed in a burst is given back when it is over, and not while it lasts', async () => {
  const { memory, looks } = started();
  memory.used = memory.free = 4 * worthBytes;
  await looks(10, restingShare * 2);
  assert.equal(memory.gaveBack, 0);
  await looks(restingLooks);
  assert.equal(memory.resident(), 4 * worthBytes);
});

void test('a pause in the work is no rest', async () => {
  const { memory, looks } = started();
  memory.free = 4 * worthBytes;
  for (let i = 0; i < 5; i++) {
    await looks(restingLooks - 1);
    await looks(1, 1);
  }
  assert.equal(memory.gaveBack, 0);
});

void test('at rest it is done once: what is in use is no reason to try again, nor is little', async () => {
  const { memory, looks } = started();
  memory.used = 10 * worthBytes;
  await looks(20);
  assert.equal(memory.gaveBack, 1);
  memory.free = worthBytes - 1;
  await looks(20);
  assert.equal(memory.gaveBack, 1);
  memory.free = worthBytes;
  await looks(20);
  assert.equal(memory.gaveBack, 2);
});
