import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Aftermath, deferred } from './async.ts';

void test('an aftermath is waited for by key, in the order in which its parts began, and all of it', async () => {
  const aftermath = new Aftermath();
  const seen: string[] = [];
  const gates = [deferred<void>(), deferred<void>()] as const;
  const unexpected = (error: unknown): void => assert.fail(String(error));
  aftermath.begin('a', async () => { await gates[0].promise; seen.push('first'); }, unexpected);
  aftermath.begin('a', async () => { await gates[1].promise; seen.push('second'); }, unexpected);
  await aftermath.over('b');
  const over = aftermath.over('a').then(() => seen.push('over'));
  gates[1].resolve();
  await aftermath.over('b');
  assert.deepEqual(seen, []);
  gates[0].resolve();
  await over;
  await aftermath.allOver();
  assert.deepEqual(seen, ['first', 'second', 'over']);
});

void test('what fails in an aftermath is told to who began it, and to nobody who waits', async () => {
  const aftermath = new Aftermath();
  const failed: unknown[] = [];
  aftermath.begin('a', () => Promise.reject(new Error('busy')), (error) => failed.push(error));
  await aftermath.over('a');
  await aftermath.allOver();
  assert.match(String(failed), /busy/);
});
