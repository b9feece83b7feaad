/** One handler for each verb on a resource: decode, call the verb, answer. */
import type { DeleteOptions } from '#api/kube/types.ts';
import { decodeBody } from '#api/kube/decode.ts';
import { messageOf } from '#lib/errors.ts';
import { badRequest, methodNotAllowed, notFound } from '../status.ts';
import type { Context, GroupVersionKind } from '../types.ts';
import { apply } from '../verbs/apply.ts';
import { create } from '../verbs/create.ts';
import { remove, removeAll } from '../verbs/delete.ts';
import { list } from '../verbs/list.ts';
import { applyPatchType, parsePatch, patchChange } from '../verbs/patch.ts';
import { replace, update } from '../verbs/update.ts';
import { watch } from '../verbs/watch.ts';
import type { Answering } from './answer.ts';
import { includeObject, sendList, sendObject, sendValue } from './answer.ts';
import { decodeObject, dryRun, fieldValidation, mediaTypeOf } from './body.ts';
import type { Handler, ResourceExchange } from './exchange.ts';
import { bodyOf } from './exchange.ts';
import type { Shape } from './negotiate.ts';
import { negotiate } from './negotiate.ts';
import { isTrue } from './request-info.ts';
import { listQuery, watchQuery, wholeNumber } from './options.ts';
import { sendWatch } from './watch-stream.ts';

export const verbHandlers: Record<string, Handler> = {
  get: async (exchange) => {
    const { target, server } = exchange;
    const answering = prepare(exchange);
    const found = server.core.objects.of(target.resource).get(target.namespace, target.name);
    if (!found) throw notFound(target.resource, target.name);
    await sendObject(answering, target.resource, found);
  },

  list: async (exchange) => {
    const { target, server, info } = exchange;
    const answering = prepare(exchange);
    await sendList(answering, target.resource, await list(server.core, collection(target), listQuery(info.query)));
  },

  watch: async (exchange) => {
    const { target, server, info, signal } = exchange;
    const answering = prepare(exchange);
    await sendWatch(answering, target.resource, watch(server.core, collection(target), watchQuery(info.query), signal), server.core.clock);
  },

  create: async (exchange) => {
    const { target, server } = exchange;
    if (target.name !== '') throw methodNotAllowed();
    const answering = prepare(exchange);
    const context = contextOf(exchange);
    const object = await readObject(exchange, target.resource, context);
    await sendObject(answering, target.resource, await create(server.core, target, object, context), 201);
  },

  update: async (exchange) => {
    const { target, server } = exchange;
    const answering = prepare(exchange);
    const context = contextOf(exchange);
    const { object, created } = await replace(server.core, target, await readObject(exchange, target.resource, context), context);
    await sendObject(answering, target.resource, object, created ? 201 : 200);
  },

  patch: async (exchange) => {
    const { target, server, info } = exchange;
    const answering = prepare(exchange);
    const context = contextOf(exchange);
    const mediaType = mediaTypeOf(exchange.request);
    if (mediaType === applyPatchType) {
      const options = {
        manager: info.query.get('fieldManager') ?? '',
        force: info.query.has('force') && isTrue(info.query.get('force')),
        validation: fieldValidation(info.query.get('fieldValidation')),
      };
      const { object, created } = await apply(server.core, target, (await bodyOf(exchange)).toString(), options, context);
      await sendObject(answering, target.resource, object, created ? 201 : 200);
      return;
    }
    const body = parsePatch(await bodyOf(exchange), mediaType);
    const change = patchChange(body, target.resource, fieldValidation(info.query.get('fieldValidation')), context);
    await sendObject(answering, target.resource, await update(server.core, target, change, context, { retry: true }));
  },

  delete: async (exchange) => {
    const { target, server } = exchange;
    const answering = prepare(exchange);
    const { options, context } = await readDeleteOptions(exchange);
    const { object, gone } = await remove(server.core, target, options, context);
    if (!gone) return sendObject(answering, target.resource, object);
    const { group, plural } = target.resource;
    const details = { name: target.name, ...(group !== '' && { group }), kind: plural, uid: object.object.metadata.uid };
    await sendValue(answering, 200, { kind: 'Status', apiVersion: 'v1', ...{ metadata: {}, status: 'Success', details } }, answering.form.encoding);
  },

  deletecollection: async (exchange) => {
    const { target, server, info } = exchange;
    const answering = prepare(exchange);
    const { options, context } = await readDeleteOptions(exchange);
    const listed = await list(server.core, collection(target), listQuery(info.query));
    await removeAll(server.core, target, listed.items, options, context);
    await sendList(answering, target.resource, listed);
  },
};

function collection<T extends { name: string }>(target: T): T {
  return { ...target, name: '' };
}

export function prepare(exchange: ResourceExchange, shapes: readonly Shape[] = ['object', 'table', 'partial']): Answering {
  const { request, response, info, warnings, server } = exchange;
  return {
    request,
    response,
    warnings,
    form: negotiate(request.headers.accept, shapes),
    include: includeObject(info.query.get('includeObject')),
    now: () => server.core.clock.now(),
  };
}

/** The longest name of a field manager, in characters. */
const fieldManagerChars = 128;

export function contextOf({ request, info, user, warnings }: ResourceExchange): Context {
  const agent = (request.headers['user-agent'] ?? '').split('/', 1)[0] ?? '';
  const fieldManager = info.query.get('fieldManager') ?? agent;
  if (fieldManager.length > fieldManagerChars) throw badRequest(`fieldManager: Too long: may not be more than ${fieldManagerChars} bytes`);
  return { user, warnings, fieldManager, dryRun: dryRun(info.query.getAll('dryRun')) };
}

export async function readObject(exchange: ResourceExchange, kind: GroupVersionKind, context: Context): Promise<ReturnType<typeof decodeObject>> {
  const validation = fieldValidation(exchange.info.query.get('fieldValidation'));
  return decodeObject(await bodyOf(exchange), mediaTypeOf(exchange.request), { expected: kind, validation, warnings: context.warnings });
}

/** From the body, or from the query where there is none. */
async function readDeleteOptions(exchange: ResourceExchange): Promise<{ options: DeleteOptions; context: Context }> {
  const context = contextOf(exchange);
  const options = deleteOptions(await bodyOf(exchange), exchange);
  if (options.dryRun) context.dryRun = dryRun(options.dryRun) || context.dryRun;
  return { options, context };
}

function deleteOptions(bytes: Buffer, { request, info: { query } }: ResourceExchange): DeleteOptions {
  const identity = { apiVersion: 'meta.k8s.io/v1', kind: 'DeleteOptions' };
  if (bytes.length > 0) {
    try {
      const { object } = decodeBody(bytes, mediaTypeOf(request), { group: 'meta.k8s.io', version: 'v1', kind: 'DeleteOptions' });
      return object as unknown as DeleteOptions;
    } catch (error) {
      throw badRequest(messageOf(error), error);
    }
  }
  const options: DeleteOptions = identity;
  const grace = query.get('gracePeriodSeconds');
  if (grace !== null) options.gracePeriodSeconds = wholeNumber('gracePeriodSeconds', grace);
  const policy = query.get('propagationPolicy');
  if (policy !== null) options.propagationPolicy = policy;
  const orphans = query.get('orphanDependents');
  if (orphans !== null) options.orphanDependents = orphans === 'true';
  return options;
}
