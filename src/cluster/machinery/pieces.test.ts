import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '#api/kube/types.ts';
import { Fault } from '#lib/errors.ts';
import { VirtualClock } from '#lib/clock-virtual.ts';
import type { AnyCondition } from './conditions.ts';
import { withCondition } from './conditions.ts';
import { OwnWrites } from './own-writes.ts';
import { Expectations } from './expectations.ts';
import { availableIn } from './pods.ts';

test('a condition keeps the time of its last change of status', () => {
  const first = withCondition<AnyCondition>([], { type: 'Ready', status: 'True', reason: 'A' }, '1970-01-01T00:00:01Z');
  const second = withCondition(first, { type: 'Ready', status: 'True', reason: 'B' }, '1970-01-01T00:00:05Z');
  const third = withCondition(second, { type: 'Ready', status: 'False' }, '1970-01-01T00:00:09Z');
  assert.deepEqual(second, [{ type: 'Ready', status: 'True', reason: 'B', lastTransitionTime: '1970-01-01T00:00:01Z' }]);
  assert.equal(third[0]?.lastTransitionTime, '1970-01-01T00:00:09Z');
});

test('expectations hold until the informer shows them, or five minutes', async () => {
  const clock = new VirtualClock();
  const expectations = new Expectations(clock);
  assert.ok(expectations.met('a'));
  expectations.expectCreations('a', 2);
  expectations.expectDeletion('a', 'u1');
  expectations.creationEnded('a');
  expectations.creationEnded('a');
  assert.ok(!expectations.met('a'));
  expectations.deletionEnded('a', 'u1');
  assert.ok(expectations.met('a'));
  expectations.expectCreations('a', 1);
  await clock.advance(299_000);
  assert.ok(!expectations.met('a'));
  await clock.advance(1001);
  assert.ok(expectations.met('a'));
});

test('a write whose outcome is not known stays expected; one that was refused does not', () => {
  const expectations = new Expectations(new VirtualClock());
  expectations.expectCreations('a', 1);
  expectations.creationFailed('a', new Fault('timeout', 'no answer'));
  assert.ok(!expectations.met('a'));
  expectations.creationFailed('a', new Fault('unavailable', 'refused'));
  assert.ok(expectations.met('a'));
  expectations.expectDeletion('a', 'u1');
  expectations.deletionFailed('a', 'u1', new Fault('timeout', 'no answer'));
  assert.ok(!expectations.met('a'));
  expectations.deletionFailed('a', 'u1', new Fault('internal', 'the disk is full'));
  assert.ok(expectations.met('a'));
});

test('own writes are seen once the informer is at their revision, or after five minutes', async () => {
  const clock = new VirtualClock();
  const writes = new OwnWrites(clock);
  let shown = '7';
  const informer = { resourceVersion: () => shown };
  assert.ok(writes.seenBy(informer, 'a'));
  for (const resourceVersion of ['10', '9']) writes.wrote('a', { metadata: { resourceVersion } });
  assert.deepEqual([writes.seenBy(informer, 'a'), writes.seenBy(informer, 'b')], [false, true]);
  shown = '9';
  assert.ok(!writes.seenBy(informer, 'a'));
  shown = '';
  assert.ok(!writes.seenBy(informer, 'a'), 'an informer that must list again shows nothing');
  shown = '10';
  assert.ok(writes.seenBy(informer, 'a'));
  writes.wrote('a', { metadata: { resourceVersion: '20' } });
  await clock.advance(300_001);
  assert.ok(writes.seenBy(informer, 'a'));
});

test('a pod is available once it has been ready long enough', () => {
  const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: '1970-01-01T00:00:10Z' }];
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: {}, spec: { containers: [] }, status: { conditions } } as Pod;
  assert.deepEqual([availableIn(pod, 0, 0), availableIn(pod, 5, 14_000), availableIn(pod, 5, 15_000)], [0, 1000, 0]);
});
