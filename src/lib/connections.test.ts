import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { Connections } from './connections.ts';

const socket = (): Duplex => new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });

test('the one that is idle longest makes place, one at work never does', () => {
  const connections = new Connections(3);
  const [a, b, c, d, e, f] = Array.from({ length: 6 }, socket) as [Duplex, Duplex, Duplex, Duplex, Duplex, Duplex];
  for (const one of [a, b, c]) assert.equal(connections.add(one), true);
  connections.begin(a);
  connections.add(d);
  assert.deepEqual([a, b, c, d].map((s) => s.destroyed), [false, true, false, false]);
  connections.end(a);
  connections.add(e);
  assert.deepEqual([a, c, d, e].map((s) => s.destroyed), [false, true, false, false]);
  for (const one of [a, d, e]) connections.begin(one);
  assert.equal(connections.add(f), false);
  assert.equal(f.destroyed, true);
  assert.equal(connections.size, 3);
});

test('a connection counts until its last request has ended, and no longer than it is open', async () => {
  const connections = new Connections(1);
  const [a, b, c] = Array.from({ length: 3 }, socket) as [Duplex, Duplex, Duplex];
  connections.add(a);
  connections.begin(a);
  connections.begin(a);
  connections.end(a);
  assert.equal(connections.add(b), false);
  a.destroy();
  await new Promise((resolve) => a.once('close', resolve));
  connections.end(a);
  assert.equal(connections.size, 0);
  connections.add(b);
  connections.become(b, c);
  assert.equal(connections.size, 1);
  connections.destroyAll();
  assert.equal(c.destroyed, true);
});
