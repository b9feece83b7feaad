import type { Resource, Subresource, Verb } from '#cluster/resources/types.ts';
import { runAction } from '../actions/run.ts';
import { refusal } from '../authz/refusal.ts';
import type { Connectors, UpgradeExchange } from '../node/types.ts';
import { methodNotAllowed, noSuchPath, notImplemented } from '../status.ts';
import type { Attributes, Target } from '../types.ts';
import type { Server } from '../server-core.ts';
import type { Exchange, ResourceExchange } from './exchange.ts';
import { sendValue } from './answer.ts';
import { contextOf, prepare, readObject, verbHandlers } from './resource-handlers.ts';
import type { RequestInfo } from './request-info.ts';
import { scaleHandlers } from './scale-handlers.ts';

/** Throws the refusal (403) where the user may not do that. */
export function authorize(server: Server, { user, info }: Pick<Exchange, 'user' | 'info'>): void {
  const attributes: Attributes = { user, verb: info.verb, ...(info.resource ? { resource: info.resource } : { path: info.path }) };
  const { allowed, reason } = server.authorizer.authorize(attributes);
  if (!allowed) throw refusal(attributes, reason);
}

/** What the path names among the served resources; throws 404. */
export function resolve(server: Server, { resource: named, verb }: RequestInfo): Target {
  if (!named) throw noSuchPath();
  const resource = server.core.resources.find(named.group, named.version, named.resource);
  if (!resource) throw noSuchPath();
  const target: Target = { resource, namespace: namespaceOf(resource, named, verb), name: named.name };
  if (named.subresource === '') return target;
  const subresource = resource.subresources.find(({ name }) => name === named.subresource);
  if (!subresource) throw noSuchPath();
  return { ...target, subresource };
}

/** Verbs on a whole collection: a name with one of them comes from its field selector, not from the path. */
const collectionVerbs = new Set(['list', 'watch', 'deletecollection']);

/** Objects without a namespace are served at the root only; `namespaces/x` is one of them. */
function namespaceOf(resource: Resource, { namespace, name, resource: plural }: NonNullable<RequestInfo['resource']>, verb: string): string {
  if (resource.namespaced) {
    if (namespace === '' && name !== '' && !collectionVerbs.has(verb)) throw noSuchPath();
    return namespace;
  }
  if (namespace !== '' && plural !== 'namespaces') throw noSuchPath();
  return '';
}

export async function handleResource(exchange: Exchange, connectors: Connectors): Promise<void> {
  const target = resolve(exchange.server, exchange.info);
  const full: ResourceExchange = { ...exchange, target };
  const { subresource, resource } = target;
  const { verb } = exchange.info;
  if (!subresource) {
    checkVerb(resource.verbs, verb);
    if (!exchange.server.core.objects.stored(resource)) return act(full);
    return handlerOf(verbHandlers, verb)(full);
  }
  if (target.name === '') throw noSuchPath();
  if (subresource.type === 'connect') return connect(full, subresource, connectors);
  checkVerb(subresource.verbs, verb);
  if (subresource.type === 'action') return act(full);
  return handlerOf(subresource.type === 'scale' ? scaleHandlers : verbHandlers, verb)(full);
}

function handlerOf(handlers: typeof verbHandlers, verb: string): (exchange: ResourceExchange) => Promise<void> {
  const handler = Object.hasOwn(handlers, verb) ? handlers[verb] : undefined;
  if (!handler) throw methodNotAllowed();
  return handler;
}

function checkVerb(verbs: readonly Verb[], verb: string): void {
  if (!(verbs as readonly string[]).includes(verb)) throw methodNotAllowed();
}

async function connect(exchange: ResourceExchange, subresource: Subresource, connectors: Connectors): Promise<void> {
  const connector = connectors.find((c) => c.resource === exchange.target.resource.plural && c.subresource === subresource.name);
  if (!connector) throw notImplemented(`${exchange.target.resource.plural}/${subresource.name}`);
  await connector.serve(exchange);
}

async function act(exchange: ResourceExchange): Promise<void> {
  const { server, target } = exchange;
  const { resource, subresource } = target;
  const answering = prepare(exchange, ['object']);
  const context = contextOf(exchange);
  const object = await readObject(exchange, subresource?.kind ?? resource, context);
  const result = await runAction(server, target, object, context);
  await sendValue(answering, result.code, result.object, answering.form.encoding);
}

/** A request to upgrade: only connect subresources take one. */
export async function upgradeResource(exchange: Omit<UpgradeExchange, 'target'>, connectors: Connectors): Promise<void> {
  const target = resolve(exchange.server, exchange.info);
  const { resource, subresource } = target;
  const connector = connectors.find((c) => c.resource === resource.plural && c.subresource === subresource?.name);
  if (!subresource || !connector?.upgrade) throw notImplemented(`${resource.plural}/${subresource?.name ?? ''} over an upgraded connection`);
  await connector.upgrade({ ...exchange, target });
}
