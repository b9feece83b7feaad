import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointSlice, Service } from '#api/kube/types.ts';
import { answerName, type DnsView } from './names.ts';

const services: Record<string, Service> = {
  'default/web': { metadata: { name: 'web', namespace: 'default' }, spec: { clusterIP: '10.96.0.7', ports: [{ name: 'http', port: 80, protocol: 'TCP' }] } } as Service,
  'default/db': { metadata: { name: 'db', namespace: 'default' }, spec: { clusterIP: 'None', ports: [{ name: 'pg', port: 5432 }] } } as Service,
  'default/out': { metadata: { name: 'out', namespace: 'default' }, spec: { type: 'ExternalName', externalName: 'example.org' } } as Service,
};
const slices: EndpointSlice[] = [{
  addressType: 'IPv4', metadata: { name: 'db-1', namespace: 'default' }, ports: [{ name: 'pg', port: 5432, protocol: 'TCP' }],
  endpoints: [{ addresses: ['10.1.0.5'], hostname: 'db-0', conditions: { ready: true } }, { addresses: ['10.1.0.6'], conditions: { ready: false } }],
} as EndpointSlice];
const view: DnsView = {
  domain: 'cluster.local',
  service: (namespace, name) => services[`${namespace}/${name}`],
  slices: (_namespace, name) => (name === 'db' ? slices : []),
  byAddress: (address) => (address === '10.96.0.7' ? { service: services['default/web'] as Service } : undefined),
};
const data = (name: string, type: string): unknown => answerName(name, type, view)?.map((a) => ('data' in a ? a.data : undefined));

test('a Service has its cluster address, in any case of letters', () => {
  assert.deepEqual(data('WEB.default.svc.cluster.local', 'A'), ['10.96.0.7']);
  assert.deepEqual(data('web.default.svc.cluster.local', 'AAAA'), []);
  assert.equal(answerName('nope.default.svc.cluster.local', 'A', view), null);
});

test('a headless Service has its ready endpoints, and their hostnames', () => {
  assert.deepEqual(data('db.default.svc.cluster.local', 'A'), ['10.1.0.5']);
  assert.deepEqual(data('db-0.db.default.svc.cluster.local', 'A'), ['10.1.0.5']);
  assert.equal(answerName('10-1-0-6.db.default.svc.cluster.local', 'A', view), null);
});

test('ports have SRV records', () => {
  assert.deepEqual(data('_http._tcp.web.default.svc.cluster.local', 'SRV'), [{ target: 'web.default.svc.cluster.local', port: 80, priority: 0, weight: 100 }]);
  assert.deepEqual(data('_pg._tcp.db.default.svc.cluster.local', 'SRV'), [{ target: 'db-0.db.default.svc.cluster.local', port: 5432, priority: 0, weight: 100 }]);
});

test('pods by their address, addresses backwards, aliases, and names that are not ours', () => {
  assert.deepEqual(data('10-1-0-9.default.pod.cluster.local', 'A'), ['10.1.0.9']);
  assert.deepEqual(data('7.0.96.10.in-addr.arpa', 'PTR'), ['web.default.svc.cluster.local']);
  assert.deepEqual(data('out.default.svc.cluster.local', 'A'), ['example.org']);
  assert.equal(answerName('example.org', 'A', view), undefined);
  assert.equal(answerName('1.1.1.1.in-addr.arpa', 'PTR', view), undefined);
});
