import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Event } from '#api/kube/types.ts';
import { VirtualClock } from '#lib/clock-virtual.ts';
import { Fault } from '#lib/errors.ts';
import { silentLogger } from '#lib/log.ts';
import { seededRandom } from '#lib/random.ts';
import type { KubeClient } from '#client/kube/types.ts';
import { createEventRecorder } from './events.ts';
import type { EventRecorder } from './types.ts';

const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'default', uid: 'u1' } };

function start(): { recorder: EventRecorder; written: Map<string, Event>; clock: VirtualClock } {
  const written = new Map<string, Event>();
  const clock = new VirtualClock();
  const fake = {
    create: (_ref: unknown, event: Event) => Promise.resolve(written.set(event.metadata.name ?? '', event)),
    patch: (_ref: unknown, name: string, { body }: { body: object }) => {
      const old = written.get(name);
      if (!old) return Promise.reject(new Fault('not-found', 'no such event'));
      return Promise.resolve(written.set(name, { ...old, ...body }));
    },
  };
  const recorder = createEventRecorder({
    client: fake as unknown as KubeClient, clock, random: seededRandom(1), log: silentLogger, signal: new AbortController().signal,
  });
  return { recorder, written, clock };
}

test('a repeated event raises its count; one that was deleted begins anew', async () => {
  const { recorder, written, clock } = start();
  recorder.record('tester', pod, 'Warning', 'Failed', 'no image');
  await clock.advance(5000);
  recorder.record('tester', pod, 'Warning', 'Failed', 'no image');
  recorder.record('tester', pod, 'Normal', 'Pulled', 'got it');
  await recorder.flush();
  const shown = [...written.values()].map(({ reason, count, firstTimestamp, lastTimestamp }) => ({ reason, count, firstTimestamp, lastTimestamp }));
  const [first, later] = ['2026-01-01T00:00:00Z', '2026-01-01T00:00:05Z'];
  assert.deepEqual(shown, [
    { reason: 'Failed', count: 2, firstTimestamp: first, lastTimestamp: later },
    { reason: 'Pulled', count: 1, firstTimestamp: later, lastTimestamp: later },
  ]);
  written.clear();
  recorder.record('tester', pod, 'Warning', 'Failed', 'no image');
  await recorder.flush();
  assert.deepEqual([...written.values()].map(({ count }) => count), [1]);
});

test('one object cannot flood: 25 events, then one in five minutes', async () => {
  const { recorder, written, clock } = start();
  for (let i = 0; i < 40; i++) recorder.record('tester', pod, 'Normal', 'Said', `${i}`);
  await recorder.flush();
  assert.equal(written.size, 25);
  await clock.advance(300_000);
  for (let i = 0; i < 5; i++) recorder.record('tester', pod, 'Normal', 'Said', `later ${i}`);
  await recorder.flush();
  assert.equal(written.size, 26);
});
