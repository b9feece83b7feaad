import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isInto, isLost, lostBackends, type LedConnection } from './connections.ts';
import { stateOf } from './desired.ts';
import type { Frontend } from './types.ts';

const backend = (address: string) => ({ address, port: 8080 });
const [a, b, c] = [backend('10.244.1.2'), backend('10.244.1.3'), backend('10.244.2.2')];
const frontend = (address: string | undefined, port: number, backends: Frontend['backends']): Frontend => ({ address, port, protocol: 'tcp', backends, affinitySeconds: 0 });
const state = (...frontends: Frontend[]) => stateOf(frontends);
const led = (to: Partial<LedConnection>): LedConnection => ({ protocol: 'tcp', source: { address: '10.244.1.9', port: 4000 }, destination: { address: '10.96.0.5', port: 80 }, backend: c, phase: 'new', ...to });

test('a backend is lost to a frontend that has it no more, wherever it stood in the list', () => {
  const before = state(frontend('10.96.0.5', 80, [a, b, c]), frontend('10.96.0.6', 80, [a, b]), frontend(undefined, 30080, [a, c]));
  const after = state(frontend('10.96.0.5', 80, [b]), frontend('10.96.0.6', 80, [a, b]), frontend(undefined, 30080, [a]));
  assert.deepEqual([...lostBackends(before, after)].sort(), ['10.96.0.5 . tcp . 80 10.244.1.2 . 8080', '10.96.0.5 . tcp . 80 10.244.2.2 . 8080', 'tcp . 30080 10.244.2.2 . 8080']);
  assert.deepEqual([...lostBackends(after, before)], []);
  assert.equal(lostBackends(before, state()).size, 7);
});

test('connections that a lost backend has not taken are lost; those that it serves are not', () => {
  const lost = lostBackends(state(frontend('10.96.0.5', 80, [a, c]), frontend(undefined, 30080, [c])), state(frontend('10.96.0.5', 80, [a])));
  assert.equal(isLost(led({}), lost), true);
  assert.equal(isLost(led({ phase: 'open' }), lost), false);
  assert.equal(isLost(led({ backend: a }), lost), false);
  assert.equal(isLost(led({ destination: { address: '10.96.0.6', port: 80 } }), lost), false);
  assert.equal(isLost(led({ destination: { address: '127.0.0.1', port: 30080 } }), lost), true);
  const datagrams = lostBackends(state({ ...frontend('10.96.0.10', 53, [c]), protocol: 'udp' }), state());
  assert.equal(isLost(led({ protocol: 'udp', destination: { address: '10.96.0.10', port: 53 }, phase: 'open' }), datagrams), true);
});

test('connections into the range of a node', () => {
  assert.equal(isInto(led({}), '10.244.2.0/24'), true);
  assert.equal(isInto(led({ backend: a }), '10.244.2.0/24'), false);
  assert.equal(isInto(led({ phase: 'ending' }), '10.244.2.0/24'), false);
});
