import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextNode, readRoster, rosterOf } from './roster.ts';

const one = readRoster('/nonexistent/nodes.json');
const text = ({ agents, nodes, leaving }: typeof one): string =>
  `${agents ? 'agents' : 'daemon'}: ${nodes.map((n) => `${n.name}=${n.number}`).join(' ')}; leaving: ${leaving.map((n) => `${n.name}${n.agent ? '' : ' (daemon)'}`).join(' ')}`;

test('the number of nodes changes: nobody stays who is not on the roster', () => {
  assert.equal(text(one), 'daemon: gantry-0=1; leaving: ');
  assert.equal(text(rosterOf(1, one)), text(one));
  const three = rosterOf(3, one);
  assert.equal(text(three), 'agents: gantry-0=1 gantry-1=2 gantry-2=3; leaving: gantry-0 (daemon)');
  assert.equal(text(rosterOf(2, three)), 'agents: gantry-0=1 gantry-1=2; leaving: gantry-0 (daemon) gantry-2', 'who has not left yet still leaves');
  const settled = { ...three, leaving: [] };
  assert.equal(text(rosterOf(3, settled)), 'agents: gantry-0=1 gantry-1=2 gantry-2=3; leaving: ');
  assert.equal(text(rosterOf(2, settled)), 'agents: gantry-0=1 gantry-1=2; leaving: gantry-2');
  assert.equal(text(rosterOf(1, settled)), 'daemon: gantry-0=1; leaving: gantry-0 gantry-1 gantry-2');
});

test('names and numbers that are free again are used again', () => {
  const nodes = [{ name: 'gantry-1', number: 2 }, { name: 'edge', number: 1 }];
  assert.deepEqual(nextNode(nodes), { name: 'gantry-0', number: 3 });
  assert.deepEqual(nextNode(nodes, 'far'), { name: 'far', number: 3 });
  assert.throws(() => nextNode(nodes, 'edge'), /there is a node edge already/);
  for (const bad of ['-a', 'A', 'a.b', '../x', '', 'x'.repeat(41)]) assert.throws(() => nextNode(nodes, bad), /invalid node name/);
  assert.throws(() => nextNode(Array.from({ length: 100 }, (_, i) => ({ name: `n${i}`, number: i + 1 }))), /100 nodes, which is the most/);
});
