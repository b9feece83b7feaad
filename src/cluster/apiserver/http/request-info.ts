import { parseFieldSelector } from '#api/kube/fields.ts';
import { badRequest } from '../status.ts';
import type { ResourceAttributes } from '../types.ts';

/** A request's path and method in the API's terms. */
export interface RequestInfo {
  path: string;
  query: URLSearchParams;
  /** An API verb for resources; the method in lower case for other paths. */
  verb: string;
  /** Absent for paths that name no resource (`/version`, `/api`, `/apis/apps/v1`). */
  resource?: ResourceAttributes;
  /** What follows the subresource (`proxy/a/b` -> `a/b`). */
  rest: string;
}

/** Path and query of one request, in characters. */
const longestTarget = 16_384;

export function parseRequest(method: string, target: string): RequestInfo {
  if (target.length > longestTarget) throw badRequest(`the request URI is longer than ${longestTarget} characters`);
  const url = target.startsWith('/') ? URL.parse(`https://server${target}`) : null;
  if (!url) throw badRequest('the request URI is not a path');
  const info: RequestInfo = { path: url.pathname, query: url.searchParams, verb: method.toLowerCase(), rest: '' };
  const parts = splitPath(url.pathname);
  const rooted = apiRoot(parts);
  if (!rooted) return info;
  const { group, version, tail } = rooted;
  const [first = '', second = '', third = ''] = tail;
  let namespace = '';
  let words = tail;
  // `namespaces/x/pods` is in a namespace; `namespaces/x`, `namespaces/x/status` and `…/finalize` are of it.
  if (first === 'namespaces' && second !== '') {
    namespace = second;
    if (third !== '' && third !== 'status' && third !== 'finalize') words = tail.slice(2);
  }
  const [resource = '', name = '', subresource = '', ...rest] = words;
  if (resource === '') return info;
  info.resource = { group, version, resource, subresource, namespace, name };
  info.rest = rest.join('/');
  info.verb = verbOf(method, info);
  if ((info.verb === 'list' || info.verb === 'watch' || info.verb === 'deletecollection') && name === '') {
    const fieldSelector = info.query.get('fieldSelector') ?? '';
    info.resource.name = valueSelected(fieldSelector, 'metadata.name');
    info.resource.fieldSelector = fieldSelector;
  }
  return info;
}

function splitPath(path: string): string[] {
  try {
    return path.split('/').slice(1).map(decodeURIComponent).filter((part, i, all) => part !== '' || i < all.length - 1);
  } catch (error) {
    throw badRequest(`the path ${path} is not valid: a percent escape is broken`, error);
  }
}

function apiRoot(parts: readonly string[]): { group: string; version: string; tail: string[] } | undefined {
  if (parts[0] === 'api' && parts.length > 2) return { group: '', version: parts[1] ?? '', tail: parts.slice(2) };
  if (parts[0] === 'apis' && parts.length > 3) return { group: parts[1] ?? '', version: parts[2] ?? '', tail: parts.slice(3) };
  return undefined;
}

const verbs: Record<string, [one: string, many: string]> = {
  GET: ['get', 'list'],
  HEAD: ['get', 'list'],
  POST: ['create', 'create'],
  PUT: ['update', 'update'],
  PATCH: ['patch', 'patch'],
  DELETE: ['delete', 'deletecollection'],
};

function verbOf(method: string, { resource, query }: RequestInfo): string {
  const [one, many] = verbs[method] ?? ['', ''];
  const verb = resource?.name === '' ? many : one;
  return verb === 'list' && isTrue(query.get('watch')) ? 'watch' : verb;
}

export function isTrue(value: string | null): boolean {
  return value === 'true' || value === '1' || value === '';
}

/** The value to which a selector narrows `field` (a collection narrowed to one name is asked for with the rights on it); '' where it does not. */
export function valueSelected(fieldSelector: string, name: string): string {
  try {
    return parseFieldSelector(fieldSelector).find(({ field, operator }) => field === name && operator === '=')?.value ?? '';
  } catch {
    // whoever lists by it is told
    return '';
  }
}
