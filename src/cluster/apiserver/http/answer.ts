import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Clock } from '#lib/clock.ts';
import { answerEarly } from '#lib/unread-body.ts';
import type { Resource } from '#cluster/resources/types.ts';
import type { Listed } from '../verbs/list.ts';
import { badRequest, toStatus } from '../status.ts';
import type { CachedObject } from '../storage/object.ts';
import type { Encoding, Form } from './negotiate.ts';
import { mediaTypes } from './negotiate.ts';
import type { IncludeObject } from './shapes.ts';
import { encodeValue, joinList, objectBytes, partialBytes, partialObject, table, tableRow } from './shapes.ts';

const compress = promisify(gzip);
/** Answers from this size on are compressed, in bytes. */
export const gzipFromBytes = 128 * 1024;
const gzipLevel = 1;

/** What all answers to one request share. */
export interface Answering {
  request: IncomingMessage;
  response: ServerResponse;
  warnings: readonly string[];
  form: Form;
  include: IncludeObject;
  now(): number;
}

export async function sendBytes(to: Pick<Answering, 'request' | 'response' | 'warnings'>, code: number, type: string, bytes: Buffer): Promise<void> {
  const { request, response } = to;
  setWarnings(response, to.warnings);
  response.setHeader('content-type', type);
  response.setHeader('cache-control', 'no-cache, private');
  let body = bytes;
  if (bytes.length >= gzipFromBytes && /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))) {
    body = await compress(bytes, { level: gzipLevel });
    response.setHeader('content-encoding', 'gzip');
    response.setHeader('vary', 'Accept-Encoding');
  }
  response.writeHead(code, { 'content-length': body.length });
  response.end(request.method === 'HEAD' ? undefined : body);
}

export function sendValue(to: Pick<Answering, 'request' | 'response' | 'warnings'>, code: number, value: { apiVersion: string; kind: string }, encoding: Encoding = 'json'): Promise<void> {
  return sendBytes(to, code, mediaTypes[encoding], encodeValue(value, encoding));
}

/** A failure; where the answer has begun already it can only be cut off. */
export async function sendFailure(request: IncomingMessage, response: ServerResponse, error: unknown, clock: Clock): Promise<void> {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const status = toStatus(error);
  const retry = status.details?.retryAfterSeconds ?? (status.code === 429 || status.code === 503 ? 1 : undefined);
  if (retry) response.setHeader('retry-after', String(retry));
  if (request.complete) return sendValue({ request, response, warnings: [] }, status.code ?? 500, status);
  await answerEarly(request, response, status.code ?? 500, { 'content-type': mediaTypes.json, 'cache-control': 'no-cache, private' }, encodeValue(status, 'json'), clock);
}

export async function sendObject(to: Answering, resource: Resource, object: CachedObject, code = 200): Promise<void> {
  const { shape, encoding } = to.form;
  if (shape === 'object') return sendBytes(to, code, mediaTypes[encoding], objectBytes(object, encoding));
  if (shape === 'partial') return sendBytes(to, code, contentType(to.form, 'PartialObjectMetadata'), partialBytes(object, encoding));
  const metadata = { resourceVersion: object.object.metadata.resourceVersion };
  const rows = [tableRow(resource, object.object, to.include, to.now())];
  return sendBytes(to, code, contentType(to.form, 'Table'), encodeValue(table(resource, rows, metadata), encoding));
}

export async function sendList(to: Answering, resource: Resource, listed: Listed): Promise<void> {
  const { shape, encoding } = to.form;
  const metadata = {
    resourceVersion: String(listed.revision),
    ...(listed.continue !== undefined && { continue: listed.continue }),
    ...(listed.remaining !== undefined && { remainingItemCount: listed.remaining }),
  };
  if (shape === 'table') {
    const rows = listed.items.map(({ object }) => tableRow(resource, object, to.include, to.now()));
    return sendBytes(to, 200, contentType(to.form, 'Table'), encodeValue(table(resource, rows, metadata), encoding));
  }
  const partial = shape === 'partial';
  const type = partial ? contentType(to.form, 'PartialObjectMetadataList') : mediaTypes[encoding];
  if (encoding === 'json') {
    const items = listed.items.map((object) => (partial ? partialBytes(object, 'json') : object.json()));
    return sendBytes(to, 200, type, joinList(resource, items, metadata, partial));
  }
  const items = listed.items.map(({ object }) => (partial ? partialObject(object) : object));
  const envelope = JSON.parse(joinList(resource, [], metadata, partial).toString()) as { apiVersion: string; kind: string };
  return sendBytes(to, 200, type, encodeValue({ ...envelope, ...{ items } }, encoding));
}

function contentType({ encoding }: Form, as: string): string {
  return `${mediaTypes[encoding]};as=${as};v=v1;g=meta.k8s.io`;
}

export function includeObject(text: string | null): IncludeObject {
  if (text === null || text === '') return 'Metadata';
  if (text === 'None' || text === 'Metadata' || text === 'Object') return text;
  throw badRequest(`includeObject: Invalid value: ${JSON.stringify(text)}: must be 'Metadata', 'Object', 'None', or empty`);
}

/** Warnings in one answer's headers, in characters; more are cut. */
const warningChars = 4096;

export function setWarnings(response: ServerResponse, warnings: readonly string[]): void {
  let left = warningChars;
  const headers: string[] = [];
  for (const warning of new Set(warnings)) {
    const text = warning.replaceAll(/[^\x20-\x7e]/g, ' ').replaceAll(/["\\]/g, '\\$&');
    left -= text.length;
    if (left < 0) break;
    headers.push(`299 - "${text}"`);
  }
  if (headers.length > 0) response.setHeader('warning', headers);
}
