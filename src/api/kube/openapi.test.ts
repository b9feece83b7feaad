import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type OpenApiResource, openApiV3 } from './openapi.ts';

const deployments: OpenApiResource = {
  group: 'apps', version: 'v1', kind: 'Deployment', plural: 'deployments', namespaced: true, message: 'apps.v1.Deployment',
  verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
  subresources: [{ name: 'scale', type: 'scale', verbs: ['get', 'patch', 'update'], kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' } }],
};

type Json = { [key: string]: Json } & { name?: string; $ref?: string };

const document = openApiV3([deployments], 'v1.36.0') as unknown as { paths: Json; components: { schemas: Json } };

test('clients find the merge keys, kinds and texts they need', () => {
  const { schemas } = document.components;
  const containers = schemas['io.k8s.api.core.v1.PodSpec']?.['properties']?.['containers'];
  assert.equal(containers?.['x-kubernetes-patch-merge-key'] as unknown, 'name');
  assert.equal(containers?.['x-kubernetes-patch-strategy'] as unknown, 'merge');
  assert.deepEqual(containers?.['x-kubernetes-list-map-keys'] as unknown, ['name']);
  assert.deepEqual(schemas['io.k8s.api.apps.v1.Deployment']?.['x-kubernetes-group-version-kind'] as unknown, [{ group: 'apps', kind: 'Deployment', version: 'v1' }]);
  assert.match(JSON.stringify(schemas['io.k8s.api.apps.v1.DeploymentSpec']?.['properties']?.['replicas']), /"description":"Number of desired pods/);
  assert.equal(schemas['io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector']?.['x-kubernetes-map-type'] as unknown, 'atomic');
});

test('a client finds out that fields are validated and writes can be dry', () => {
  const patch = document.paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}']?.['patch'];
  const names = ((patch?.['parameters'] ?? []) as { name: string }[]).map(({ name }) => name);
  assert.deepEqual(['dryRun', 'fieldValidation', 'force'].map((name) => names.includes(name)), [true, true, true]);
  assert.ok(document.paths['/apis/apps/v1/deployments']?.['get'] !== undefined);
  assert.ok(document.paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale']?.['put'] !== undefined);
});

test('every reference leads to a schema', () => {
  const refs = new Set(JSON.stringify(document).match(/#\/components\/schemas\/[^"]+/g));
  for (const ref of refs) assert.ok(document.components.schemas[ref.slice('#/components/schemas/'.length)] !== undefined, ref);
});
