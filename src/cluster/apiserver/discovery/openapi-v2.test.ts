import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Schema } from '#api/kube/openapi-schemas.ts';
import { encodeOpenApiV2 } from '#api/kube/openapi-v2-protobuf.ts';
import { openApiV3 } from '#api/kube/openapi.ts';
import { WireReader } from '#api/kube/protobuf-wire.ts';
import { openApiV2 } from './openapi-v2.ts';

const document = openApiV2([openApiV3([{
  group: 'apps', version: 'v1', kind: 'Deployment', plural: 'deployments', namespaced: true, message: 'apps.v1.Deployment',
  verbs: ['create', 'get', 'list', 'patch', 'update'], subresources: [],
}], 'v1.36.0')], 'v1.36.0');

const definitions = document['definitions'] as { [name: string]: { properties: { [name: string]: Schema } } };

test('definitions refer to each other in the older way, and have no alternatives', () => {
  assert.deepEqual(definitions['io.k8s.api.apps.v1.DeploymentSpec']?.properties['template']?.['$ref'], '#/definitions/io.k8s.api.core.v1.PodTemplateSpec');
  assert.equal((definitions['io.k8s.apimachinery.pkg.api.resource.Quantity'] as unknown as Schema)['type'], 'string');
  assert.doesNotMatch(JSON.stringify(document), /oneOf|allOf|components\/schemas/);
});

/** The length-delimited values of one field. */
function fieldsOf(bytes: Uint8Array, wanted: number): Uint8Array[] {
  const reader = new WireReader(bytes);
  const found: Uint8Array[] = [];
  while (!reader.done) {
    const { number, type } = reader.tag();
    if (number === wanted && type === 2) found.push(reader.bytes());
    else reader.skip(type);
  }
  return found;
}

function named(bytes: Uint8Array, list: number, name: string): Uint8Array {
  const pair = fieldsOf(bytes, list).find((item) => Buffer.from(fieldsOf(item, 1)[0] ?? []).toString() === name);
  return fieldsOf(pair ?? new Uint8Array(), 2)[0] ?? new Uint8Array();
}

function textOf(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString();
}

test('the protobuf form holds definitions, merge keys and the parameters of a patch', () => {
  const bytes = encodeOpenApiV2(document);
  assert.equal(textOf(fieldsOf(bytes, 1)[0]), '2.0');
  const [allDefinitions = new Uint8Array()] = fieldsOf(bytes, 9);
  const [properties = new Uint8Array()] = fieldsOf(named(allDefinitions, 1, 'io.k8s.api.core.v1.PodSpec'), 25);
  const containers = named(properties, 1, 'containers');
  assert.equal(textOf(fieldsOf(named(containers, 31, 'x-kubernetes-patch-merge-key'), 2)[0]), '"name"');
  const [paths = new Uint8Array()] = fieldsOf(bytes, 8);
  const item = named(paths, 2, '/apis/apps/v1/namespaces/{namespace}/deployments/{name}');
  const [patch = new Uint8Array()] = fieldsOf(item, 8);
  assert.match(textOf(patch), /dryRun/);
  assert.equal(textOf(fieldsOf(patch, 5)[0]), 'patchAppsV1Deployment');
});
