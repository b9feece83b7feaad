import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJson } from '#api/kube/decode.ts';
import { fieldErrorText } from '#api/kube/field-errors.ts';
import type { ConfigMap, KubeObject, Namespace } from '#api/kube/types.ts';
import { leases } from './coordination/lease.ts';
import { configMaps, maxDataBytes } from './core/configmap.ts';
import { endpoints } from './core/endpoints.ts';
import { namespaces } from './core/namespace.ts';
import { nodes } from './core/node.ts';
import { replicationControllers } from './core/replicationcontroller.ts';
import { services } from './core/service.ts';
import { endpointSlices } from './discovery/endpointslice.ts';
import { clusterRoleBindings, roleBindings } from './rbac/bindings.ts';
import { clusterRoles, roles } from './rbac/roles.ts';
import { resources } from './index.ts';
import type { Resource } from './types.ts';

const now = Date.UTC(2026, 0, 1, 1, 0, 0);

function create<T extends KubeObject>(resource: Resource<T>, body: object): T {
  const metadata = { name: 'x', ...(resource.namespaced ? { namespace: 'default' } : {}), creationTimestamp: '2026-01-01T00:59:00Z' };
  const object = decodeJson(JSON.stringify({ metadata, ...body }), resource).object as T;
  resource.defaults(object);
  resource.prepareForCreate(object);
  return object;
}

function errorsOf<T extends KubeObject>(resource: Resource<T>, body: object): string[] {
  return resource.validate(create(resource, body)).map(fieldErrorText);
}

test('endpoints show their first addresses', () => {
  const subsets = [{ addresses: ['10.0.0.1', '10.0.0.2', '10.0.0.3', 'fd00::4'].map((ip) => ({ ip })), ports: [{ port: 80 }] }];
  assert.deepEqual(endpoints.row(create(endpoints, { subsets }), { now }), ['x', '10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 1 more...', '60s']);
  assert.equal(endpoints.row(create(endpoints, {}), { now })[1], '<none>');
  assert.deepEqual(errorsOf(endpoints, { subsets: [{ addresses: [{ ip: '127.0.0.1' }], ports: [{ port: 0 }] }] }), [
    'subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
    'subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
  ]);
  for (const ip of ['::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1', '127.9.9.9', 'fe80::1', '169.254.1.1', '::', '0.0.0.0', '224.0.0.1', 'ff02::1']) {
    assert.equal(errorsOf(endpoints, { subsets: [{ addresses: [{ ip }] }] }).length, 1, ip);
  }
  for (const ip of ['10.0.0.1', 'fd00::1', '225.1.1.1']) assert.deepEqual(errorsOf(endpoints, { subsets: [{ addresses: [{ ip }] }] }), [], ip);
});

test('endpoint slices show ports and addresses, and keep to one family', () => {
  const slice = create(endpointSlices, { addressType: 'IPv4', endpoints: [{ addresses: ['10.0.0.1'] }], ports: [{ port: 80 }] });
  assert.deepEqual(endpointSlices.row(slice, { now }), ['x', 'IPv4', '80', '10.0.0.1', '60s']);
  assert.deepEqual(slice.ports, [{ name: '', port: 80, protocol: 'TCP' }]);
  assert.deepEqual(errorsOf(endpointSlices, { addressType: 'IPv4', endpoints: [{ addresses: ['fd00::1'] }, { addresses: [] }] }), [
    'endpoints[0].addresses[0]: Invalid value: "fd00::1": must be an IPv4 address',
    'endpoints[1].addresses: Required value: must contain at least 1 address',
  ]);
});

test('role bindings show whom they bind, and keep their role', () => {
  const subjects = [{ kind: 'User', name: 'u' }, { kind: 'Group', name: 'g' }, { kind: 'ServiceAccount', name: 's', namespace: 'n' }];
  const binding = create(roleBindings, { roleRef: { kind: 'Role', name: 'r' }, subjects });
  assert.deepEqual(roleBindings.row(binding, { now }), ['x', 'Role/r', '60s', 'u', 'g', 'n/s']);
  assert.deepEqual(roleBindings.validate(binding), []);
  const other = structuredClone(binding);
  other.roleRef.name = 'other';
  assert.match(roleBindings.validateUpdate(other, binding).map(fieldErrorText).join(), /^roleRef: Invalid value: .*: cannot change roleRef$/);
  assert.deepEqual(errorsOf(clusterRoleBindings, { roleRef: { kind: 'Role', name: 'r' }, subjects: [{ kind: 'ServiceAccount', name: 's' }] }), [
    'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"', 'subjects[0].namespace: Required value',
  ]);
});

test('rules of roles are whole', () => {
  assert.deepEqual(errorsOf(roles, { rules: [{ verbs: [], resources: ['pods'] }, { verbs: ['get'], nonResourceURLs: ['/x'] }] }), [
    'rules[0].verbs: Required value: verbs must contain at least one value',
    'rules[0].apiGroups: Required value: resource rules must supply at least one api group',
    'rules[1].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs',
  ]);
  assert.deepEqual(errorsOf(clusterRoles, { metadata: { name: 'system:x' }, rules: [{ verbs: ['get'], nonResourceURLs: ['/x'] }] }), []);
  assert.deepEqual(errorsOf(clusterRoles, { metadata: { name: 'a/b' } }), ['metadata.name: Invalid value: "a/b": may not contain \'/\'']);
});

test('a config map has a size, and an immutable one stays', () => {
  assert.deepEqual(errorsOf(configMaps, { data: { a: 'x'.repeat(maxDataBytes + 1) } }), [`: Too long: may not be more than ${maxDataBytes} bytes`]);
  const fixed: ConfigMap = create(configMaps, { data: { a: '1' }, immutable: true });
  const changed = { ...structuredClone(fixed), data: { a: '2' } };
  assert.deepEqual(configMaps.validateUpdate(changed, fixed).map(fieldErrorText), ['data: Forbidden: field is immutable when `immutable` is set']);
});

test('a replication controller takes selector and labels from its template', () => {
  const controller = create(replicationControllers, { spec: { template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } } } });
  assert.deepEqual([controller.spec.selector, controller.metadata.labels, controller.spec.replicas, controller.status], [{ a: 'b' }, { a: 'b' }, 1, { replicas: 0 }]);
  assert.deepEqual(replicationControllers.validate(controller), []);
});

test('only the finalize door changes the finalizers of a namespace', () => {
  const old: Namespace = create(namespaces, {});
  const emptied = { ...structuredClone(old), spec: { finalizers: [] } };
  const update = structuredClone(emptied);
  namespaces.prepareForUpdate(update, old);
  assert.deepEqual(update.spec, { finalizers: ['kubernetes'] });
  const door = namespaces.subresources.find(({ name }) => name === 'finalize');
  assert.ok(door?.type === 'object');
  door.prepareForUpdate(emptied, old);
  assert.deepEqual(emptied.spec, { finalizers: [] });
});

test("a node's status comes with it, a lease says how long it lasts", () => {
  const node = create(nodes, { status: { capacity: { cpu: '2' } } });
  assert.deepEqual(node.status, { capacity: { cpu: '2' }, allocatable: { cpu: '2' } });
  assert.deepEqual(errorsOf(nodes, { spec: { taints: [{ key: 'a', effect: 'Never' }] } }), [
    'spec.taints[0].effect: Unsupported value: "Never": supported values: "NoExecute", "NoSchedule", "PreferNoSchedule"',
  ]);
  assert.deepEqual(errorsOf(leases, { spec: { leaseDurationSeconds: -1 } }), ['spec.leaseDurationSeconds: Invalid value: -1: must be greater than 0']);
});

test('the rules of metadata hold for every kind', () => {
  for (const resource of resources) {
    const object = { apiVersion: 'v1', kind: resource.kind, metadata: { labels: { '-': 'x' }, finalizers: ['plain'] }, spec: { template: {} }, involvedObject: {}, regarding: {} };
    const paths = resource.validate(object as unknown as KubeObject).map(({ path }) => path);
    for (const path of ['metadata.name', 'metadata.labels', 'metadata.finalizers']) assert.ok(paths.includes(path), `${resource.plural} ${path}`);
    assert.equal(paths.includes('metadata.namespace'), resource.namespaced, resource.plural);
  }
});

test('of metadata an update keeps what the server gave', () => {
  const given = { name: 'x', namespace: 'default', uid: 'u', creationTimestamp: '2026-01-01T00:00:00Z' };
  const old = create(configMaps, { metadata: given });
  const update = create(configMaps, { metadata: { name: 'x', namespace: 'default', generation: 9 } });
  configMaps.prepareForUpdate(update, old);
  assert.deepEqual(update.metadata, given);
  update.metadata.uid = 'other';
  assert.deepEqual(configMaps.validateUpdate(update, old).map(fieldErrorText), ['metadata.uid: Invalid value: "other": field is immutable']);
});

test('what the Service proxies of nodes go by is checked, whoever writes it', () => {
  const slice = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4', endpoints: [], ports: [{ port: 70_000 }] };
  assert.deepEqual(errorsOf(endpointSlices, slice), ['ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive']);
  const status = services.subresources.find(({ name }) => name === 'status');
  assert.ok(status?.type === 'object');
  const service = create(services, { apiVersion: 'v1', kind: 'Service', spec: { type: 'LoadBalancer', ports: [{ port: 80 }] } });
  const balanced = { ...service, status: { loadBalancer: { ingress: [{ ip: '192.0.2.9' }, { ip: '1.2.3.4 } ; flush ruleset' }, { hostname: 'a_b' }] } } };
  assert.deepEqual(status.validateUpdate(balanced, service).map(({ path }) => path), ['status.loadBalancer.ingress[1].ip', 'status.loadBalancer.ingress[2].hostname']);
});
