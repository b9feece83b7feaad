import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from '#api/kube/types.ts';
import { planRoutes } from './routes.ts';

const node = (name: string, podCIDR: string, address?: string): Node => ({
  apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: { podCIDR },
  status: { addresses: [{ type: 'Hostname', address: name }, ...(address === undefined ? [] : [{ type: 'InternalIP', address }])] },
});
const nodes = [node('a', '10.244.1.0/24', '10.244.0.2'), node('b', '10.244.2.0/24', '10.244.0.3'), node('unborn', '10.244.3.0/24'), node('elsewhere', '10.244.4.0/24', '192.168.1.9')];
const options = { nodeName: 'a', clusterCidr: '10.244.0.0/16' };

test('each other node that is on the node network has a route; what is stale goes, what is not ours stays', () => {
  const present = [
    { destination: '10.244.0.0/16' }, { destination: '10.244.1.0/24' }, { destination: '172.17.0.0/16' },
    { destination: '10.244.9.0/24', via: '10.244.0.9' }, { destination: '10.9.0.0/16', via: '10.244.0.9' },
  ];
  assert.deepEqual(planRoutes(nodes, present, options), [
    { do: 'delete', destination: '10.244.9.0/24' },
    { do: 'add', route: { destination: '10.244.2.0/24', via: '10.244.0.3' } },
  ]);
});

test('a node that moved, and a default route that a link took along', () => {
  const present = [{ destination: '10.244.2.0/24', via: '10.244.0.7' }];
  assert.deepEqual(planRoutes(nodes, present, { ...options, gateway: '10.244.0.1' }), [
    { do: 'add', route: { destination: '10.244.2.0/24', via: '10.244.0.3' } },
    { do: 'add', route: { destination: '0.0.0.0/0', via: '10.244.0.1' } },
  ]);
  assert.deepEqual(planRoutes(nodes, [{ destination: '10.244.2.0/24', via: '10.244.0.3' }, { destination: '0.0.0.0/0', via: '10.244.0.1' }], { ...options, gateway: '10.244.0.1' }), []);
});

test('a range that would lead away what is no pod of its node gets no route', () => {
  const claims = ['0.0.0.0/0', '10.244.0.0/16', '10.244.0.0/24', '10.244.0.2/32', '10.244.1.0/24', '10.244.1.128/25', '10.244.2.0/25', '8.8.8.0/24', '10.244.7.9/24', 'x'];
  const bad = claims.map((podCIDR, i) => node(`z${i}`, podCIDR, `10.244.0.${50 + i}`));
  assert.deepEqual(planRoutes([...nodes, ...bad], [], options), [{ do: 'add', route: { destination: '10.244.2.0/24', via: '10.244.0.3' } }]);
});
