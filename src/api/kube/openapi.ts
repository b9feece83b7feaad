/**
 * The OpenAPI v3 document of a group version, as a pure function of the schema registry and the resources
 * served there: schemas for `kubectl explain` and `apply`, operations with the parameters they take (which is
 * how a client finds out that the server validates fields and does dry runs).
 */
import { type Schema, collectSchemas, schemaRef } from './openapi-schemas.ts';
import { messageOfKind } from './schema.ts';
import { type GroupVersionKind, apiVersionOf } from './types.ts';

/** What the document needs to know of a resource. */
export interface OpenApiResource {
  group: string;
  version: string;
  kind: string;
  plural: string;
  namespaced: boolean;
  verbs: readonly string[];
  /** Its message: `apps.v1.Deployment`. */
  message: string;
  subresources: readonly { name: string; type: string; verbs: readonly string[]; kind?: GroupVersionKind }[];
}

const writeTypes = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];
const listTypes = [...writeTypes, 'application/json;stream=watch', 'application/vnd.kubernetes.protobuf;stream=watch'];
const patchTypes = ['application/json-patch+json', 'application/merge-patch+json', 'application/strategic-merge-patch+json', 'application/apply-patch+yaml'];

function query(name: string, type: string, description: string): Schema {
  return { name, in: 'query', description, schema: { type, uniqueItems: true } };
}

const dryRun = query('dryRun', 'string', 'When present, changes are not kept: the answer is what would be. `All` is the one valid value.');
const fieldManager = query('fieldManager', 'string', 'The name of who makes the change, at most 128 printable characters.');
const fieldValidation = query('fieldValidation', 'string', 'What to do about unknown or duplicate fields: Ignore, Warn or Strict.');
const writeQueries = [dryRun, fieldManager, fieldValidation];
const patchQueries = [...writeQueries, query('force', 'boolean', 'Take over fields that others own. Only for apply patches.')];
const listQueries = [
  query('allowWatchBookmarks', 'boolean', 'Send bookmarks in a watch.'),
  query('continue', 'string', 'Where the last page of a list ended.'),
  query('fieldSelector', 'string', 'Only objects with these field values.'),
  query('labelSelector', 'string', 'Only objects with these labels.'),
  query('limit', 'integer', 'The most objects in one page.'),
  query('resourceVersion', 'string', 'How new the answer must be.'),
  query('resourceVersionMatch', 'string', 'How resourceVersion is meant: Exact or NotOlderThan.'),
  query('sendInitialEvents', 'boolean', 'Begin a watch with every object there is.'),
  query('timeoutSeconds', 'integer', 'When to end the call.'),
  query('watch', 'boolean', 'Stream changes instead of a list.'),
];
const deleteQueries = [
  dryRun,
  query('gracePeriodSeconds', 'integer', 'Seconds until the object is gone.'),
  query('orphanDependents', 'boolean', 'Deprecated: use propagationPolicy.'),
  query('propagationPolicy', 'string', 'What becomes of dependents: Orphan, Background or Foreground.'),
];
const pretty = query('pretty', 'string', 'Indent the answer.');

function pathParameter(name: string, description: string): Schema {
  return { name, in: 'path', required: true, description, schema: { type: 'string', uniqueItems: true } };
}

function content(types: readonly string[], schema: Schema): Schema {
  return Object.fromEntries(types.map((type) => [type, { schema }]));
}

/** `actions` as the extension names them. */
const actionOf: Record<string, string> = { get: 'get', list: 'list', create: 'post', update: 'put', patch: 'patch', delete: 'delete', deletecollection: 'deletecollection' };

interface OperationKind extends GroupVersionKind {
  message: string;
}

function operation(verb: string, target: OperationKind, resource: OpenApiResource, suffix: string): Schema {
  const { group, version, kind } = target;
  const success = verb === 'create' ? ['200', '201', '202'] : verb === 'update' || verb === 'patch' ? ['200', '201'] : ['200'];
  const answer = verb === 'delete' || verb === 'deletecollection' ? 'meta.v1.Status' : verb === 'list' ? `${target.message}List` : target.message;
  const ok = { description: 'OK', content: content(verb === 'list' ? listTypes : writeTypes, schemaRef(answer)) };
  const base: Schema = {
    tags: [`${resource.group === '' ? 'core' : resource.group}_${resource.version}`],
    description: `${verb} ${kind}`,
    operationId: operationId(verb, resource, suffix),
    responses: { ...Object.fromEntries(success.map((code) => [code, ok])), 401: { description: 'Unauthorized' } },
    'x-kubernetes-action': actionOf[verb],
    'x-kubernetes-group-version-kind': { group, kind, version },
  };
  if (verb === 'list') return { ...base, parameters: listQueries };
  if (verb === 'create' || verb === 'update') {
    return { ...base, parameters: writeQueries, requestBody: { content: content(['*/*'], schemaRef(target.message)), required: true } };
  }
  if (verb === 'patch') return { ...base, parameters: patchQueries, requestBody: { content: content(patchTypes, schemaRef('meta.v1.Patch')), required: true } };
  if (verb === 'get') return base;
  const queries = verb === 'delete' ? deleteQueries : [...deleteQueries, ...listQueries];
  return { ...base, parameters: queries, requestBody: { content: content(['*/*'], schemaRef('meta.v1.DeleteOptions')) } };
}

function operationId(verb: string, resource: OpenApiResource, suffix: string): string {
  const words = [resource.group === '' ? 'core' : (resource.group.split('.')[0] ?? ''), resource.version, resource.kind, suffix];
  const camel = words.filter((word) => word !== '').map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  return `${verb}${camel}`;
}

const methodOf: Record<string, string> = { get: 'get', list: 'get', create: 'post', update: 'put', patch: 'patch', delete: 'delete', deletecollection: 'delete' };

function pathItem(verbs: readonly string[], target: OperationKind, resource: OpenApiResource, suffix: string, parameters: Schema[]): Schema {
  const served = verbs.filter((verb) => methodOf[verb] !== undefined);
  return { ...Object.fromEntries(served.map((verb) => [methodOf[verb], operation(verb, target, resource, suffix)])), parameters: [...parameters, pretty] };
}

function resourcePaths(resource: OpenApiResource): { [path: string]: Schema } {
  const root = `${resource.group === '' ? '/api' : '/apis'}/${apiVersionOf(resource)}`;
  const target: OperationKind = { group: resource.group, version: resource.version, kind: resource.kind, message: resource.message };
  const base = `${root}${resource.namespaced ? '/namespaces/{namespace}' : ''}/${resource.plural}`;
  const inNamespace = resource.namespaced ? [pathParameter('namespace', 'object name and auth scope, such as for teams and projects')] : [];
  const only = (...verbs: string[]): string[] => resource.verbs.filter((verb) => verbs.includes(verb));
  const named = [pathParameter('name', `name of the ${resource.kind}`), ...inNamespace];
  const paths: { [path: string]: Schema } = {
    [base]: pathItem(only('list', 'create', 'deletecollection'), target, resource, '', inNamespace),
  };
  const item = only('get', 'update', 'patch', 'delete');
  if (item.length > 0) paths[`${base}/{name}`] = pathItem(item, target, resource, '', named);
  if (resource.namespaced && resource.verbs.includes('list')) {
    paths[`${root}/${resource.plural}`] = pathItem(['list'], target, resource, 'forAllNamespaces', []);
  }
  for (const sub of resource.subresources) {
    const kind = sub.kind ?? target;
    const message = sub.kind === undefined ? resource.message : messageOfKind(sub.kind)?.name;
    if (sub.type === 'connect' || message === undefined) continue;
    paths[`${base}/{name}/${sub.name}`] = pathItem(sub.verbs, { ...kind, message }, resource, sub.name, named);
  }
  return paths;
}

/** Messages that the operations of a resource name. */
function messagesOf(resource: OpenApiResource): string[] {
  const lists = resource.verbs.includes('list') ? [`${resource.message}List`] : [];
  const subs = resource.subresources.flatMap(({ kind, type }) => (kind === undefined || type === 'connect' ? [] : [messageOfKind(kind)?.name ?? '']));
  return [resource.message, ...lists, ...subs.filter((name) => name !== '')];
}

/**
 * @param resources those of the group version, create-only ones among them
 * @param serverVersion `v1.36.0`
 */
export function openApiV3(resources: readonly OpenApiResource[], serverVersion: string): Schema {
  const messages = ['meta.v1.Status', 'meta.v1.DeleteOptions', 'meta.v1.Patch', ...resources.flatMap(messagesOf)];
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: serverVersion },
    paths: Object.assign({}, ...resources.map(resourcePaths)) as Schema,
    components: {
      schemas: collectSchemas(messages),
      securitySchemes: { BearerToken: { type: 'apiKey', description: 'Bearer Token authentication', name: 'authorization', in: 'header' } },
    },
  };
}
