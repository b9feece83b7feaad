import type { ServerResponse } from 'node:http';
import { encodeProtobuf, watchFrame } from '#api/kube/protobuf.ts';
import type { Resource } from '#cluster/resources/types.ts';
import { apiVersionOf } from '#api/kube/types.ts';
import type { Clock } from '#lib/clock.ts';
import { drained } from '#lib/drained.ts';
import { toStatus } from '../status.ts';
import type { WatchItem } from '../storage/watcher.ts';
import type { Answering } from './answer.ts';
import { setWarnings } from './answer.ts';
import type { Form } from './negotiate.ts';
import { mediaTypes } from './negotiate.ts';
import { metaVersion, objectBytes, partialBytes, partialObject, table, tableRow } from './shapes.ts';

/** A client that takes nothing of its watch for this long is cut off, in milliseconds. */
export const slowReaderMs = 60_000;

/** Writes a watch to the end of its items, or until the client goes. */
export async function sendWatch(to: Answering, resource: Resource, items: AsyncIterable<WatchItem[]>, clock: Clock): Promise<void> {
  const { response, form } = to;
  setWarnings(response, to.warnings);
  const encoding = form.encoding === 'protobuf' ? 'protobuf' : 'json';
  response.writeHead(200, {
    'content-type': encoding === 'json' ? mediaTypes.json : `${mediaTypes.protobuf};stream=watch`,
    'cache-control': 'no-cache, private',
  });
  response.flushHeaders();
  const frame = framer(to, resource, { ...form, encoding });
  try {
    for await (const batch of items) {
      for (const item of batch) if (!response.write(frame(item)) && !(await takesMore(response, clock))) return;
      if (response.destroyed) return;
    }
  } catch (error) {
    const status = toStatus(error);
    response.write(encoding === 'json' ? jsonFrame('ERROR', JSON.stringify(status)) : watchFrame('ERROR', encodeProtobuf(status)));
  }
  response.end();
}

/** Resolves when more can be written; false when the client has gone, or was cut off. */
async function takesMore(response: ServerResponse, clock: Clock): Promise<boolean> {
  const cut = clock.after(slowReaderMs, () => response.destroy()).unref();
  await drained(response);
  cut.cancel();
  return !response.destroyed;
}

function framer(to: Answering, resource: Resource, form: Form): (item: WatchItem) => Uint8Array {
  let first = true;
  return (item) => {
    if (item.type === 'BOOKMARK') return encodeFrame(form, 'BOOKMARK', bookmark(resource, form, item));
    const { type, object } = item;
    if (form.shape === 'table') {
      const rows = [tableRow(resource, object.object, to.include, to.now())];
      const shown = table(resource, rows, { resourceVersion: String(object.revision) }, first);
      first = false;
      return encodeFrame(form, type, shown);
    }
    if (form.encoding === 'json') return form.shape === 'object' ? object.frame(type) : jsonFrame(type, partialBytes(object, 'json'));
    const bytes = form.shape === 'object' ? objectBytes(object, 'protobuf') : encodeProtobuf(partialObject(object.object));
    return object.form(`frame ${form.shape} ${type}`, () => Buffer.from(watchFrame(type, bytes)));
  };
}

function bookmark(resource: Resource, { shape }: Form, item: WatchItem & { type: 'BOOKMARK' }): { apiVersion: string; kind: string } {
  const annotations = item.initialEventsEnd && { annotations: { 'k8s.io/initial-events-end': 'true' } };
  const metadata = { resourceVersion: String(item.revision), ...annotations };
  if (shape === 'table') return table(resource, [], metadata, false);
  if (shape === 'partial') return { kind: 'PartialObjectMetadata', apiVersion: metaVersion, ...{ metadata } };
  return { kind: resource.kind, apiVersion: apiVersionOf(resource), ...{ metadata } };
}

function encodeFrame({ encoding }: Form, type: string, value: { apiVersion: string; kind: string }): Uint8Array {
  return encoding === 'json' ? jsonFrame(type, JSON.stringify(value)) : watchFrame(type, encodeProtobuf(value));
}

function jsonFrame(type: string, json: string | Buffer): Buffer {
  return Buffer.concat([Buffer.from(`{"type":"${type}","object":`), typeof json === 'string' ? Buffer.from(json) : json, Buffer.from('}\n')]);
}
