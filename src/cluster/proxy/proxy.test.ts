import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointSlice, Service } from '#api/kube/types.ts';
import { frontendsOf, stateOf } from './desired.ts';
import { changes } from './rules.ts';

const service = (spec: Service['spec']): Service => ({ metadata: { name: 's', namespace: 'n' }, spec: { clusterIP: '10.96.0.5', ports: [{ name: 'web', port: 80 }], ...spec } }) as Service;
const slice = (...addresses: string[]): EndpointSlice => ({
  addressType: 'IPv4',
  metadata: { name: 's-1', namespace: 'n' },
  ports: [{ name: 'web', port: 8080 }],
  endpoints: addresses.map((a) => ({ addresses: [a.replace('!', '')], conditions: { ready: !a.includes('!') }, nodeName: a.endsWith('.1') ? 'here' : 'there' })),
}) as EndpointSlice;

const stateFor = (s: Service, ...slices: EndpointSlice[]) => stateOf(frontendsOf(s, slices, 'here'));
const none = stateOf([]);

test('a Service becomes map elements, and only ready endpoints count', () => {
  const text = changes('t', none, stateFor(service({}), slice('10.1.0.1', '10.1.0.2', '10.1.0.3!')));
  assert.match(text, /add element ip t services \{ 10\.96\.0\.5 \. tcp \. 80 : goto pick_2 \}/);
  assert.match(text, /add element ip t backends \{ 10\.96\.0\.5 \. tcp \. 80 \. 1728053248 : 10\.1\.0\.1 \. 8080, .* : 10\.1\.0\.2 \. 8080 \}/);
  assert.doesNotMatch(text, /10\.1\.0\.3/);
});

test('a change of endpoints changes elements and nothing else', () => {
  const from = stateFor(service({}), slice('10.1.0.1', '10.1.0.2'));
  assert.equal(changes('t', from, from), '');
  const text = changes('t', from, stateFor(service({}), slice('10.1.0.1', '10.1.0.9')));
  assert.equal(
    text,
    'delete element ip t backends { 10.96.0.5 . tcp . 80 . 1728053249 }\n' +
      'add element ip t backends { 10.96.0.5 . tcp . 80 . 1728053249 : 10.1.0.9 . 8080 }\n' +
      'delete element ip t itself { 10.1.0.2 . 10.1.0.2 }\nadd element ip t itself { 10.1.0.9 . 10.1.0.9 }\n',
  );
});

test('node ports, external addresses, affinity and local policies', () => {
  const state = stateFor(
    service({ type: 'NodePort', externalIPs: ['192.0.2.9'], externalTrafficPolicy: 'Local', sessionAffinity: 'ClientIP', ports: [{ name: 'web', port: 80, nodePort: 30080 }] }),
    slice('10.1.0.1', '10.1.0.2'),
  );
  assert.deepEqual([...state.services], [['10.96.0.5 . tcp . 80', 'sticky_2'], ['192.0.2.9 . tcp . 80', 'sticky_1']]);
  assert.deepEqual([...state.nodePorts], [['tcp . 30080', 'node_sticky_1']]);
  assert.deepEqual([...state.nodeBackends.values()], ['10.1.0.1 . 8080']);
  assert.deepEqual([...state.nodeRemembered], [['tcp . 30080', 'remember_10800']]);
});

test('headless Services and ones without endpoints have no frontend', () => {
  assert.deepEqual(frontendsOf(service({ clusterIP: 'None' }), [slice('10.1.0.1')], 'here'), []);
  assert.deepEqual(frontendsOf(service({}), [slice('10.1.0.1!')], 'here'), []);
});

test('where no endpoint is ready, those that still serve while they end are used', () => {
  const ending = { ...slice('10.1.0.1!'), endpoints: [{ addresses: ['10.1.0.1'], conditions: { ready: false, serving: true, terminating: true } }] };
  assert.deepEqual([...stateFor(service({}), ending).backends.values()], ['10.1.0.1 . 8080']);
  assert.deepEqual([...stateFor(service({}), ending, slice('10.1.0.2')).backends.values()], ['10.1.0.2 . 8080']);
});

test('what the rules cannot hold is left out: it would keep the changes of all Services from them', () => {
  const odd = ['fd00::1', '1.2.3.4 } ; flush ruleset ; #', '300.1.1.1', ''];
  const spec = { type: 'LoadBalancer' as const, externalIPs: [...odd, '192.0.2.9'] };
  const balanced = { ...service(spec), status: { loadBalancer: { ingress: odd.map((ip) => ({ ip })) } } };
  const badPorts = { ...slice('10.1.0.2'), ports: [70_000, -1, 1.5].map((port) => ({ name: 'web', port })) } as EndpointSlice;
  const state = stateFor(balanced, slice('10.1.0.1', ...odd), badPorts);
  assert.deepEqual([...state.services.keys()], ['10.96.0.5 . tcp . 80', '192.0.2.9 . tcp . 80']);
  assert.deepEqual(new Set(state.backends.values()), new Set(['10.1.0.1 . 8080']));
});

test('a Service that names another one\'s address for outside gets nothing of its traffic', () => {
  const victim = frontendsOf(service({}), [slice('10.1.0.1', '10.1.0.2')], 'here');
  const thief = frontendsOf(service({ clusterIP: '10.96.0.6', externalIPs: ['10.96.0.5'] }), [slice('10.1.0.66')], 'here');
  for (const frontends of [[...victim, ...thief], [...thief, ...victim]]) {
    const { services, backends } = stateOf(frontends);
    assert.equal(services.get('10.96.0.5 . tcp . 80'), 'pick_2');
    assert.deepEqual([...backends].filter(([key]) => key.startsWith('10.96.0.5')).map(([, to]) => to), ['10.1.0.1 . 8080', '10.1.0.2 . 8080']);
  }
});
