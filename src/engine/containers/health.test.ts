/** When a container is probed, and what its probes make of it, under a clock that the test moves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Health } from '#api/docker/containers.ts';
import type { HealthConfig } from '#api/oci/image.ts';
import { VirtualClock } from '#lib/clock-virtual.ts';
import type { ContainerContext } from './context.ts';
import type { Execs } from './execs.ts';
import { HealthMonitor } from './health.ts';
import { Live } from './live.ts';
import type { ContainerRecord } from './record.ts';

const second = 1_000_000_000;

/** Probes a container that has run for `ranMs`; `codes` are what its probes end with, the last one for ever. */
function watched(check: HealthConfig, codes: number[], ranMs = 0) {
  const clock = new VirtualClock();
  const live = new Live();
  const record = { id: 'c', config: { Healthcheck: { Test: ['CMD', 'x'], ...check } }, state: { status: 'running', startedAt: clock.now() - ranMs } } as unknown as ContainerRecord;
  const told: string[] = [];
  let probes = 0;
  const context = {
    clock,
    set: { live: () => live, get: () => record },
    events: { emit: (_type: string, action: string) => told.push(action) },
  } as unknown as ContainerContext;
  const execs = { probe: () => Promise.resolve({ code: codes[Math.min(probes++, codes.length - 1)], output: '', timedOut: false }) } as unknown as Execs;
  new HealthMonitor(context, execs).begin(record);
  return { clock, told, probes: () => probes, health: (): Health => live.health ?? assert.fail('no health'), end: () => live.endRun() };
}

test('in its start period it is probed more often, and failures do not count; the first success ends that', async () => {
  const seen = watched({ Interval: 10 * second, StartPeriod: 60 * second, StartInterval: 2 * second, Retries: 2 }, [1, 1, 1, 0, 1]);
  await seen.clock.advance(6_500);
  assert.deepEqual([seen.probes(), seen.health().Status, seen.health().FailingStreak], [3, 'starting', 0]);
  await seen.clock.advance(2_000);
  assert.deepEqual([seen.probes(), seen.health().Status], [4, 'healthy']);
  await seen.clock.advance(10_000);
  assert.deepEqual([seen.probes(), seen.health().Status, seen.health().FailingStreak], [5, 'healthy', 1], 'a failure of one that was healthy counts, start period or not');
  await seen.clock.advance(10_000);
  assert.deepEqual([seen.health().Status, seen.told], ['unhealthy', ['health_status: healthy', 'health_status: unhealthy']]);
  seen.end();
});

test('a start period counts from the start of the run, also for a daemon that came later', async () => {
  const seen = watched({ Interval: 10 * second, StartPeriod: 60 * second, Retries: 1 }, [1], 61_000);
  await seen.clock.advance(9_000);
  assert.equal(seen.probes(), 0);
  await seen.clock.advance(1_500);
  assert.equal(seen.health().Status, 'unhealthy');
  seen.end();
});

test('the last five results are kept, and nothing is probed after the end', async () => {
  const seen = watched({ Interval: second }, [0]);
  await seen.clock.advance(8_500);
  assert.deepEqual([seen.probes(), seen.health().Log?.length], [8, 5]);
  seen.end();
  await seen.clock.advance(10_000);
  assert.equal(seen.probes(), 8);
});
