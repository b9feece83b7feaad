/**
 * The in-process client: the same verbs, rights and admission as over HTTPS, with no bytes between. What it
 * hands out are the cache's frozen objects.
 */
import { decodeOwn } from '#api/kube/decode.ts';
import type { KubeObject } from '#api/kube/types.ts';
import { apiVersionOf } from '#api/kube/types.ts';
import type { DeleteOptions, KubeClient, KubeList, ListOptions, Patch, ResourceRef, WatchEvent, WatchOptions, WriteOptions } from '#client/kube/types.ts';
import type { Resource } from '#cluster/resources/types.ts';
import type { Core } from './core.ts';
import { authenticated } from './authn/authenticate.ts';
import { refusal } from './authz/refusal.ts';
import { runAction } from './actions/run.ts';
import { parseRequest } from './http/request-info.ts';
import type { Where } from './local-requests.ts';
import { documentOf, requestByVerb } from './local-requests.ts';
import type { Server } from './server-core.ts';
import { badRequest, methodNotAllowed, noSuchPath, notFound, notImplemented } from './status.ts';
import { deepFreeze } from './storage/object.ts';
import type { WatchItem } from './storage/watcher.ts';
import type { Context, Target, User } from './types.ts';
import { apply } from './verbs/apply.ts';
import { create } from './verbs/create.ts';
import { remove } from './verbs/delete.ts';
import { list } from './verbs/list.ts';
import { ownPatchChange } from './verbs/patch.ts';
import { scaleChange, scaleKind, toScale, withScale } from './verbs/scale.ts';
import { replace, update } from './verbs/update.ts';
import { watch } from './verbs/watch.ts';

export function localClient(server: Server, user: User): KubeClient {
  return new LocalClient(server, authenticated(user));
}

class LocalClient implements KubeClient {
  readonly #server: Server;
  readonly #user: User;

  constructor(server: Server, user: User) {
    this.#server = server;
    this.#user = user;
  }

  async get<T>(ref: ResourceRef, name: string, namespace?: string): Promise<T> {
    const at = this.#target('get', ref, { namespace, name });
    const found = this.#core.objects.of(at.resource).get(at.namespace, name);
    if (!found) throw notFound(at.resource, name);
    return found.object as T;
  }

  async list<T>(ref: ResourceRef, options: ListOptions = {}): Promise<KubeList<T>> {
    const at = this.#target('list', ref, options);
    const listed = await list(this.#core, at, { ...options, limit: options.limit ?? 0 });
    const metadata = { resourceVersion: String(listed.revision), continue: listed.continue, remainingItemCount: listed.remaining };
    return { items: listed.items.map(({ object }) => object as T), metadata };
  }

  watch<T>(ref: ResourceRef, options: WatchOptions): AsyncIterable<WatchEvent<T>> {
    const at = this.#target('watch', ref, options);
    const query = { ...options, allowWatchBookmarks: options.allowWatchBookmarks ?? false };
    return events<T>(at.resource, watch(this.#core, at, query, options.signal));
  }

  async create<T>(ref: ResourceRef, object: T, options: WriteOptions = {}): Promise<T> {
    const given = object as KubeObject;
    const namespace = options.namespace ?? given.metadata?.namespace;
    const at = this.#target('create', ref, { ...options, namespace });
    const context = this.#context(options);
    if (at.subresource || !this.#core.objects.stored(at.resource)) return (await runAction(this.#server, at, clean(given, at), context)).object as T;
    return (await create(this.#core, { ...at, name: '' }, clean(given, at), context)).object as T;
  }

  async update<T>(ref: ResourceRef, object: T, options: WriteOptions = {}): Promise<T> {
    const given = object as KubeObject;
    const name = options.name ?? given.metadata.name ?? '';
    const at = this.#target('update', ref, { ...options, namespace: options.namespace ?? given.metadata.namespace, name });
    const scale = at.subresource?.type === 'scale' ? at.subresource : undefined;
    const wanted = clean(given, at);
    const context = this.#context(options);
    if (!scale) return (await replace(this.#core, at, wanted, context)).object.object as T;
    const changed = await update(this.#core, at, (old) => withScale(old, wanted, scale), context);
    return deepFreeze(toScale(changed.object, scale)) as T;
  }

  async patch<T>(ref: ResourceRef, name: string, patch: Patch, options: WriteOptions & { namespace?: string } = {}): Promise<T> {
    const at = this.#target('patch', ref, { ...options, name });
    const context = this.#context(options);
    if (patch.type === 'apply') {
      const applying = { manager: context.fieldManager, force: patch.force ?? false, validation: 'Ignore' as const };
      return (await apply(this.#core, at, JSON.stringify(patch.body), applying, context)).object.object as T;
    }
    // A copy, as a request's body would be: what is frozen at the caller's becomes part of an object that is filled in.
    const value: unknown = JSON.parse(JSON.stringify(patch.body));
    const scale = at.subresource?.type === 'scale' ? at.subresource : undefined;
    const change = ownPatchChange({ type: patch.type, value }, scale ? scaleKind : at.resource);
    const changed = await update(this.#core, at, scale ? scaleChange(scale, change) : change, context, { retry: true });
    return (scale ? deepFreeze(toScale(changed.object, scale)) : changed.object) as T;
  }

  async delete(ref: ResourceRef, name: string, options: DeleteOptions = {}): Promise<void> {
    const { gracePeriodSeconds, propagationPolicy, preconditions } = options;
    const at = this.#target('delete', ref, { namespace: options.namespace, name });
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds, propagationPolicy, preconditions };
    await remove(this.#core, at, body, this.#context());
  }

  async request<T>(method: string, path: string, body?: unknown, options: { contentType?: string; signal?: AbortSignal } = {}): Promise<T> {
    const info = parseRequest(method, path);
    if (info.resource) {
      const request = { method, path, body, ...options };
      return (await requestByVerb(this, request, (ref, where) => this.#readPart(ref, where))) as T;
    }
    const attributes = { user: this.#user, verb: info.verb, path: info.path };
    const { allowed, reason } = this.#server.authorizer.authorize(attributes);
    if (!allowed) throw refusal(attributes, reason);
    return documentOf(this.#core.resources, info) as T;
  }

  async stream(): Promise<AsyncIterable<Uint8Array>> {
    throw notImplemented('a stream by the in-process client; use the HTTPS one');
  }

  /** A subresource that shows the object, or its scale. */
  #readPart(ref: ResourceRef, where: Where): KubeObject {
    const at = this.#target('get', ref, where);
    const found = this.#core.objects.of(at.resource).get(at.namespace, at.name);
    if (!found) throw notFound(at.resource, at.name);
    if (at.subresource?.type === 'scale') return deepFreeze(toScale(found.object, at.subresource));
    if (at.subresource?.type !== 'object') throw methodNotAllowed();
    return found.object;
  }

  get #core(): Core {
    return this.#server.core;
  }

  /** What is asked for, if the user has the right. */
  #target(verb: string, ref: ResourceRef, { namespace = '', name = '', subresource = '', fieldSelector }: Where): Target {
    const resource = this.#core.resources.find(ref.group, ref.version, ref.resource);
    if (!resource) throw noSuchPath();
    const scoped = resource.namespaced ? namespace : '';
    const asked = { ...ref, subresource, namespace: attributeNamespace(resource, scoped, name), name, ...(fieldSelector !== undefined && { fieldSelector }) };
    const attributes = { user: this.#user, verb, resource: asked };
    const { allowed, reason } = this.#server.authorizer.authorize(attributes);
    if (!allowed) throw refusal(attributes, reason);
    if (subresource === '') return { resource, namespace: scoped, name };
    const found = resource.subresources.find((candidate) => candidate.name === subresource);
    if (!found) throw noSuchPath();
    return { resource, subresource: found, namespace: scoped, name };
  }

  #context(options: WriteOptions = {}): Context {
    return { user: this.#user, warnings: [], fieldManager: options.fieldManager ?? this.#user.name, dryRun: options.dryRun ?? false };
  }
}

/** `namespaces/x` is asked for with rights in the namespace x. */
function attributeNamespace(resource: Resource, namespace: string, name: string): string {
  return resource.plural === 'namespaces' && resource.group === '' ? name : namespace;
}

/** The object as a body would bring it: without undefined fields, in its kind's form. */
function clean(object: KubeObject, { resource, subresource }: Target): KubeObject {
  if (typeof object !== 'object' || object === null) throw badRequest(`an object of kind ${resource.kind} is expected`);
  const kind = subresource?.kind ?? resource;
  const copy: unknown = JSON.parse(JSON.stringify(object));
  return decodeOwn(copy, kind);
}

async function* events<T>(resource: Resource, batches: AsyncIterable<WatchItem[]>): AsyncGenerator<WatchEvent<T>> {
  for await (const batch of batches) for (const item of batch) yield event<T>(resource, item);
}

function event<T>(resource: Resource, item: WatchItem): WatchEvent<T> {
  if (item.type !== 'BOOKMARK') return { type: item.type, object: item.object.object as T };
  const annotations = item.initialEventsEnd && { annotations: { 'k8s.io/initial-events-end': 'true' } };
  const { kind } = resource;
  return { type: 'BOOKMARK', object: deepFreeze({ kind, apiVersion: apiVersionOf(resource), metadata: { resourceVersion: String(item.revision), ...annotations } }) as T };
}
