import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoints, Service } from '#api/kube/types.ts';
import { planText } from '../planned.ts';
import { planMirror } from './plan.ts';

const service: Service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'db', namespace: 'default' }, spec: { ports: [{ port: 5432 }] } };

function written(metadata: Endpoints['metadata'] = {}): Endpoints {
  const subsets = [{ addresses: [{ ip: '192.0.2.1' }, { ip: '2001:db8::1' }], notReadyAddresses: [{ ip: '192.0.2.2' }], ports: [{ name: 'sql', port: 5432 }] }];
  return { apiVersion: 'v1', kind: 'Endpoints', metadata: { name: 'db', namespace: 'default', uid: 'e1', ...metadata }, subsets };
}

test('hand-made endpoints are mirrored, a slice for each family', () => {
  const plan = planMirror(service, written(), []);
  assert.equal(planText(plan), 'create slice [192.0.2.1,!192.0.2.2:5432]: 2 endpoints have no slice\ncreate slice [2001:db8::1:5432]: 1 endpoints have no slice');
  const slices = plan.map(({ slice }, i) => ({ ...slice, metadata: { ...slice.metadata, name: `db-${i}` } }));
  assert.equal(slices[0]?.metadata.labels?.['kubernetes.io/service-name'], 'db');
  assert.deepEqual(planMirror(service, written(), slices), []);
  assert.equal(planText(planMirror({ ...service, spec: { ...service.spec, selector: { app: 'db' } } }, written(), slices.slice(0, 1))), 'delete db-0: the service has a selector');
  assert.equal(planText(planMirror(service, undefined, slices.slice(0, 1))), 'delete db-0: the endpoints are gone');
});

test('endpoints that say so, or have no service, are not mirrored', () => {
  assert.deepEqual(planMirror(service, written({ labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } }), []), []);
  assert.deepEqual(planMirror(undefined, written(), []), []);
});
