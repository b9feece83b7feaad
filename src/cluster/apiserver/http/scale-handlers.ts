import type { ScaleSubresource } from '#cluster/resources/types.ts';
import { must } from '#lib/assert.ts';
import { notFound, notImplemented } from '../status.ts';
import type { CachedObject } from '../storage/object.ts';
import { applyPatchType, parsePatch, patchChange } from '../verbs/patch.ts';
import { scaleChange, scaleKind, toScale, withScale } from '../verbs/scale.ts';
import { update } from '../verbs/update.ts';
import { sendValue } from './answer.ts';
import { fieldValidation, mediaTypeOf } from './body.ts';
import type { Handler, ResourceExchange } from './exchange.ts';
import { bodyOf } from './exchange.ts';
import { contextOf, prepare, readObject } from './resource-handlers.ts';

export const scaleHandlers: Record<string, Handler> = {
  get: async (exchange) => {
    const { server, target } = exchange;
    const found = server.core.objects.of(target.resource).get(target.namespace, target.name);
    if (!found) throw notFound(target.resource, target.name);
    await answer(exchange, found);
  },

  update: async (exchange) => {
    const context = contextOf(exchange);
    const wanted = await readObject(exchange, scaleKind, context);
    await answer(exchange, await update(exchange.server.core, exchange.target, (old) => withScale(old, wanted, scaleOf(exchange)), context));
  },

  patch: async (exchange) => {
    const context = contextOf(exchange);
    const mediaType = mediaTypeOf(exchange.request);
    if (mediaType === applyPatchType) throw notImplemented('server-side apply of a scale');
    const body = parsePatch(await bodyOf(exchange), mediaType);
    const change = patchChange(body, scaleKind, fieldValidation(exchange.info.query.get('fieldValidation')), context);
    const changed = await update(exchange.server.core, exchange.target, scaleChange(scaleOf(exchange), change), context, { retry: true });
    await answer(exchange, changed);
  },
};

function scaleOf({ target }: ResourceExchange): ScaleSubresource {
  return must(target.subresource?.type === 'scale' ? target.subresource : undefined, 'the scale subresource');
}

function answer(exchange: ResourceExchange, object: CachedObject): Promise<void> {
  const answering = prepare(exchange, ['object']);
  return sendValue(answering, 200, toScale(object.object, scaleOf(exchange)), answering.form.encoding);
}
