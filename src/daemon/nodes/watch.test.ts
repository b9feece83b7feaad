import assert from 'node:assert/strict';
import { test } from 'node:test';
import { note } from './watch.ts';

test('a node is seen otherwise once it has looked so for a while; that its agent is there, at once', () => {
  const state: Parameters<typeof note>[0] = { since: 0 };
  assert.equal(note(state, 'agent', 0, 1), true);
  assert.equal(note(state, 'cut-off', 1000, 1700), false);
  assert.equal(note(state, 'agent', 1800, 1801), false);
  assert.equal(note(state, 'cut-off', 2000, 2700), false, 'the answer between began it anew');
  assert.equal(note(state, 'no-agent', 2800, 2801), false);
  assert.equal(note(state, 'cut-off', 2900, 3600), false, 'the refusal between, too');
  assert.equal(note(state, 'cut-off', 3700, 4400), true);
  assert.deepEqual([state.what, state.since], ['cut-off', 2900]);
  assert.equal(note(state, 'no-agent', 5000, 5001), false);
  assert.equal(note(state, 'no-agent', 8000, 8001), true);
  assert.equal(note(state, 'agent', 9000, 9001), true);
});
