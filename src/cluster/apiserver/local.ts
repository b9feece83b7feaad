/**
 * The in-process client: the same verbs, rights and admission as over HTTPS, with no bytes between. What it
 * hands out are the cache's frozen objects.
 */
import { decodeValue } from '#api/kube/decode.ts';
import type { KubeObject } from '#api/kube/types.ts';
import type { Patch, KubeClient, KubeList, ListOptions, ResourceRef, WatchEvent, WatchOptions, WriteOptions } from '#client/kube/types.ts';
import type { Resource } from '#cluster/resources/types.ts';
import { authenticated } from './authn/authenticate.ts';
import { refusal } from './authz/refusal.ts';
import { LocalRequests } from './local-requests.ts';
import type { Server } from './server-core.ts';
import { badRequest, noSuchPath, notFound, notImplemented } from './status.ts';
import { deepFreeze } from './storage/object.ts';
import type { WatchItem } from './storage/watcher.ts';
import type { Context, Target, User } from './types.ts';
import { create } from './verbs/create.ts';
import { remove } from './verbs/delete.ts';
import { list } from './verbs/list.ts';
import { patchChange } from './verbs/patch.ts';
import { toScale, withScale } from './verbs/scale.ts';
import { replace, update } from './verbs/update.ts';
import { watch } from './verbs/watch.ts';

export function localClient(server: Server, asked: User): KubeClient {
  const user = authenticated(asked);
  const requests = new LocalRequests(server, user);
  const { core } = server;

  const target = (verb: string, ref: ResourceRef, where: { namespace?: string; name?: string; subresource?: string }): Target => {
    const { namespace = '', name = '', subresource = '' } = where;
    const resource = core.resources.find(ref.group, ref.version, ref.resource);
    if (!resource) throw noSuchPath();
    const scoped = resource.namespaced ? namespace : '';
    const attributes = { user, verb, resource: { ...ref, subresource, namespace: attributeNamespace(resource, scoped, name), name } };
    const { allowed, reason } = server.authorizer.authorize(attributes);
    if (!allowed) throw refusal(attributes, reason);
    if (subresource === '') return { resource, namespace: scoped, name };
    const found = resource.subresources.find((candidate) => candidate.name === subresource);
    if (!found) throw noSuchPath();
    return { resource, subresource: found, namespace: scoped, name };
  };

  const context = (options: WriteOptions = {}): Context => ({
    user,
    warnings: [],
    fieldManager: options.fieldManager ?? user.name,
    dryRun: options.dryRun ?? false,
  });

  return {
    get: async <T>(ref: ResourceRef, name: string, namespace?: string): Promise<T> => {
      const at = target('get', ref, { namespace, name });
      const found = core.objects.of(at.resource).get(at.namespace, name);
      if (!found) throw notFound(at.resource, name);
      return found.object as T;
    },

    list: async <T>(ref: ResourceRef, options: ListOptions = {}): Promise<KubeList<T>> => {
      const at = target('list', ref, options);
      const listed = await list(core, at, { ...options, limit: options.limit ?? 0 });
      const metadata = { resourceVersion: String(listed.revision), continue: listed.continue, remainingItemCount: listed.remaining };
      return { items: listed.items.map(({ object }) => object as T), metadata };
    },

    watch: <T>(ref: ResourceRef, options: WatchOptions): AsyncIterable<WatchEvent<T>> => {
      const at = target('watch', ref, options);
      const query = { ...options, allowWatchBookmarks: options.allowWatchBookmarks ?? false };
      return events<T>(at.resource, watch(core, at, query, options.signal));
    },

    create: async <T>(ref: ResourceRef, object: T, options: WriteOptions = {}): Promise<T> => {
      const given = object as KubeObject;
      const namespace = options.namespace ?? given.metadata?.namespace;
      const at = target('create', ref, { ...options, namespace });
      if (at.subresource || !core.objects.stored(at.resource)) return (await requests.act(at, clean(given, at), context(options))) as T;
      return (await create(core, { ...at, name: '' }, clean(given, at), context(options))).object as T;
    },

    update: async <T>(ref: ResourceRef, object: T, options: WriteOptions = {}): Promise<T> => {
      const given = object as KubeObject;
      const name = options.name ?? given.metadata.name ?? '';
      const at = target('update', ref, { ...options, namespace: options.namespace ?? given.metadata.namespace, name });
      const scale = at.subresource?.type === 'scale' ? at.subresource : undefined;
      if (!scale) return (await replace(core, at, clean(given, at), context(options))).object.object as T;
      const wanted = clean(given, at);
      const changed = await update(core, at, (old) => withScale(old, wanted, scale), context(options));
      return deepFreeze(toScale(changed.object, scale)) as T;
    },

    patch: async <T>(ref: ResourceRef, name: string, patch: Patch, options: WriteOptions & { namespace?: string } = {}): Promise<T> => {
      const at = target('patch', ref, { ...options, name });
      if (patch.type === 'apply') throw notImplemented('server-side apply');
      if (at.subresource?.type === 'scale') throw notImplemented('a patch of a scale by the in-process client');
      const made = context(options);
      const change = patchChange({ type: patch.type, value: patch.body }, at.resource, 'Ignore', made);
      return (await update(core, at, change, made, { retry: true })).object as T;
    },

    delete: async (ref, name, options = {}) => {
      const { gracePeriodSeconds, propagationPolicy, preconditions } = options;
      const at = target('delete', ref, { namespace: options.namespace, name });
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds, propagationPolicy, preconditions };
      await remove(core, at, body, context());
    },

    request: async <T>(method: string, path: string, body?: unknown): Promise<T> => (await requests.request(method, path, body)) as T,

    stream: async () => {
      throw notImplemented('a stream by the in-process client; use the HTTPS one');
    },
  };
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
  return decodeValue(copy, kind).object;
}

async function* events<T>(resource: Resource, batches: AsyncIterable<WatchItem[]>): AsyncGenerator<WatchEvent<T>> {
  for await (const batch of batches) for (const item of batch) yield event<T>(resource, item);
}

function event<T>(resource: Resource, item: WatchItem): WatchEvent<T> {
  if (item.type !== 'BOOKMARK') return { type: item.type, object: item.object.object as T };
  const annotations = item.initialEventsEnd && { annotations: { 'k8s.io/initial-events-end': 'true' } };
  const { kind, version, group } = resource;
  const apiVersion = group === '' ? version : `${group}/${version}`;
  return { type: 'BOOKMARK', object: deepFreeze({ kind, apiVersion, metadata: { resourceVersion: String(item.revision), ...annotations } }) as T };
}
