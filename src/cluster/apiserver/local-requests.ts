import { decodeValue } from '#api/kube/decode.ts';
import type { KubeObject } from '#api/kube/types.ts';
import { runAction } from './actions/run.ts';
import { refusal } from './authz/refusal.ts';
import { documentAt } from './discovery/documents.ts';
import { version } from './discovery/version.ts';
import { resolve } from './http/dispatch.ts';
import { parseRequest } from './http/request-info.ts';
import type { Server } from './server-core.ts';
import { noSuchPath, notFound, notImplemented } from './status.ts';
import type { Context, Target, User } from './types.ts';
import { toScale } from './verbs/scale.ts';

/** The requests of the in-process client that are no verb on an object. */
export class LocalRequests {
  readonly #server: Server;
  readonly #user: User;

  constructor(server: Server, user: User) {
    this.#server = server;
    this.#user = user;
  }

  /** Runs an action (a review, a binding, an eviction, a token). */
  async act(target: Target, object: KubeObject, context: Context): Promise<unknown> {
    return (await runAction(this.#server, target, object, context)).object;
  }

  /** GET of an object or its scale, POST of an action, `/version` and discovery. */
  async request(method: string, path: string, body: unknown): Promise<unknown> {
    const info = parseRequest(method, path);
    const attributes = { user: this.#user, verb: info.verb, ...(info.resource ? { resource: info.resource } : { path: info.path }) };
    const { allowed, reason } = this.#server.authorizer.authorize(attributes);
    if (!allowed) throw refusal(attributes, reason);
    if (!info.resource) {
      const document = info.path === '/version' ? version() : documentAt(this.#server.core.resources, info.path);
      if (method !== 'GET' || !document) throw noSuchPath();
      return document;
    }
    const target = resolve(this.#server, info);
    if (info.verb === 'get') return this.#get(target);
    const acts = target.subresource?.type === 'action' || !this.#server.core.objects.stored(target.resource);
    if (info.verb !== 'create' || !acts) throw notImplemented(`${method} ${info.path} by the in-process client; use its verbs`);
    const kind = target.subresource?.kind ?? target.resource;
    const { object } = decodeValue(JSON.parse(JSON.stringify(body)), kind);
    return this.act(target, object, { user: this.#user, warnings: [], fieldManager: this.#user.name, dryRun: false });
  }

  #get(target: Target): KubeObject {
    const found = this.#server.core.objects.of(target.resource).get(target.namespace, target.name);
    if (!found) throw notFound(target.resource, target.name);
    return target.subresource?.type === 'scale' ? toScale(found.object, target.subresource) : found.object;
  }
}
