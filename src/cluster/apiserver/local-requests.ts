import type { KubeClient, Patch, ResourceRef } from '#client/kube/types.ts';
import { apiGroup, apiGroupList, apiResourceList, apiVersions } from './discovery/documents.ts';
import { version } from './discovery/version.ts';
import { parseRequest } from './http/request-info.ts';
import type { RequestInfo } from './http/request-info.ts';
import type { ResourceTable } from './resource-table.ts';
import { badRequest, methodNotAllowed, noSuchPath, notImplemented } from './status.ts';
import { patchTypeOf } from './verbs/patch.ts';

export interface LocalRequest {
  method: string;
  path: string;
  body?: unknown;
  contentType?: string;
  signal?: AbortSignal;
}

/** Which object is meant, or which part of it. */
export interface Where {
  namespace?: string;
  name?: string;
  subresource?: string;
  /** Of a collection. */
  fieldSelector?: string;
}

/** A request as a path, by the verbs of the in-process client that it stands for. */
export async function requestByVerb(client: KubeClient, request: LocalRequest, readPart: (ref: ResourceRef, where: Where) => unknown): Promise<unknown> {
  const info = parseRequest(request.method, request.path);
  if (!info.resource) throw noSuchPath();
  const { group, version: apiVersion, resource, subresource, namespace, name } = info.resource;
  const ref: ResourceRef = { group, version: apiVersion, resource };
  const scope = resource === 'namespaces' ? undefined : namespace || undefined;
  const where = { namespace: scope, name: name || undefined, subresource: subresource || undefined, signal: request.signal };
  switch (info.verb) {
    case 'get':
      return subresource === '' ? client.get(ref, name, scope) : readPart(ref, where);
    case 'list':
      return list(client, ref, info, scope);
    case 'create':
      return client.create(ref, request.body, where);
    case 'update':
      return client.update(ref, request.body, where);
    case 'patch':
      return client.patch(ref, name, patchOf(request), where);
    case 'delete':
      await client.delete(ref, name, { namespace: scope, ...(request.body as object | undefined) });
      return {};
    default:
      throw notImplemented(`${info.verb} of ${resource} by a request of the in-process client; use its own verb`);
  }
}

async function list(client: KubeClient, ref: ResourceRef, { query }: RequestInfo, namespace: string | undefined): Promise<unknown> {
  const text = (name: string): string | undefined => query.get(name) ?? undefined;
  const limit = Number(query.get('limit') ?? 0);
  if (!Number.isSafeInteger(limit) || limit < 0) throw badRequest(`limit: Invalid value: "${text('limit')}"`);
  const options = { labelSelector: text('labelSelector'), fieldSelector: text('fieldSelector'), continue: text('continue'), resourceVersion: text('resourceVersion') };
  return client.list(ref, { namespace, limit, ...options });
}

function patchOf({ body, contentType = '' }: LocalRequest): Patch {
  return { type: patchTypeOf(contentType), body } as Patch;
}

/** The answer to a GET of a path that names no resource. */
export function documentOf(resources: ResourceTable, { path, verb }: RequestInfo): unknown {
  if (verb !== 'get') throw methodNotAllowed();
  const [root, first, second, ...rest] = path.split('/').filter((part) => part !== '');
  if (root === 'version' && first === undefined) return version();
  if (root === 'api' && first === undefined) return apiVersions([]);
  if (root === 'apis' && first === undefined) return apiGroupList(resources);
  const found =
    root === 'api' && first !== undefined && second === undefined
      ? apiResourceList(resources, '', first)
      : root === 'apis' && first !== undefined && rest.length === 0
        ? second === undefined ? apiGroup(resources, first) : apiResourceList(resources, first, second)
        : undefined;
  if (!found) throw noSuchPath();
  return found;
}
