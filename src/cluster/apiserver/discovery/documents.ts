/** What the server serves, in the two forms of discovery: a document for each group version, or one for all. */
import type { APIGroup, APIResource } from '#api/kube/types.ts';
import { apiVersionOf } from '#api/kube/types.ts';
import type { Resource, Subresource } from '#cluster/resources/types.ts';
import type { ResourceTable } from '../resource-table.ts';

type Document = { apiVersion: string; kind: string } & Record<string, unknown>;

export function apiVersions(addresses: { clientCIDR: string; serverAddress: string }[]): Document {
  return { kind: 'APIVersions', apiVersion: 'v1', versions: ['v1'], serverAddressByClientCIDRs: addresses };
}

export function apiGroupList(table: ResourceTable): Document {
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: namedGroups(table).map(groupOf) };
}

/** Undefined where there is no such group. */
export function apiGroup(table: ResourceTable, name: string): Document | undefined {
  const found = namedGroups(table).find(({ group }) => group === name);
  return found && { kind: 'APIGroup', apiVersion: 'v1', ...groupOf(found) };
}

/** Undefined where there is no such version. */
export function apiResourceList(table: ResourceTable, group: string, version: string): Document | undefined {
  const resources = table.of(group, version);
  if (resources.length === 0) return undefined;
  const groupVersion = apiVersionOf({ group, version });
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources: resources.flatMap(apiResources) };
}

/** The discovery document at `/apis`, `/apis/GROUP`, `/api/v1` or `/apis/GROUP/VERSION`; undefined at any other path. */
export function documentAt(table: ResourceTable, path: string): Document | undefined {
  const [root, second, third, ...rest] = path.split('/').filter((part) => part !== '');
  if (rest.length > 0) return undefined;
  if (root === 'api' && second !== undefined && third === undefined) return apiResourceList(table, '', second);
  if (root !== 'apis') return undefined;
  if (second === undefined) return apiGroupList(table);
  return third === undefined ? apiGroup(table, second) : apiResourceList(table, second, third);
}

function apiResources(resource: Resource): APIResource[] {
  const own: APIResource = {
    name: resource.plural,
    singularName: resource.singular,
    namespaced: resource.namespaced,
    kind: resource.kind,
    verbs: [...resource.verbs],
    ...(resource.shortNames.length > 0 && { shortNames: [...resource.shortNames] }),
    ...(resource.categories.length > 0 && { categories: [...resource.categories] }),
  };
  return [own, ...resource.subresources.map((subresource) => apiSubresource(resource, subresource))];
}

function apiSubresource(resource: Resource, { name, verbs, kind }: Subresource): APIResource {
  return {
    name: `${resource.plural}/${name}`,
    singularName: '',
    namespaced: resource.namespaced,
    ...(kind && { group: kind.group, version: kind.version }),
    kind: kind?.kind ?? resource.kind,
    verbs: [...verbs],
  };
}

function namedGroups(table: ResourceTable): { group: string; versions: string[] }[] {
  return table.groups().filter(({ group }) => group !== '');
}

function groupOf({ group, versions }: { group: string; versions: string[] }): Omit<APIGroup, 'apiVersion' | 'kind'> {
  const listed = versions.map((version) => ({ groupVersion: `${group}/${version}`, version }));
  const [preferred] = listed;
  return { name: group, versions: listed, ...(preferred && { preferredVersion: preferred }) };
}

/** All groups of one root in one document (`/api`: the core group, `/apis`: the others). */
export function aggregated(table: ResourceTable, root: '/api' | '/apis'): Document {
  const groups = table.groups().filter(({ group }) => (group === '') === (root === '/api'));
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: groups.map(({ group, versions }) => ({
      metadata: { ...(group !== '' && { name: group }), creationTimestamp: null },
      versions: versions.map((version) => ({ version, freshness: 'Current', resources: table.of(group, version).map(aggregatedResource) })),
    })),
  };
}

function aggregatedResource(resource: Resource): Record<string, unknown> {
  const { group, version, kind } = resource;
  return {
    resource: resource.plural,
    responseKind: { group, version, kind },
    scope: resource.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: resource.singular,
    verbs: resource.verbs,
    ...(resource.shortNames.length > 0 && { shortNames: resource.shortNames }),
    ...(resource.categories.length > 0 && { categories: resource.categories }),
    ...(resource.subresources.length > 0 && {
      subresources: resource.subresources.map((subresource) => ({
        subresource: subresource.name,
        responseKind: subresource.kind ?? { group, version, kind },
        verbs: subresource.verbs,
      })),
    }),
  };
}
