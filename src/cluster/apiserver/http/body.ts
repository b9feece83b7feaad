import type { IncomingMessage } from 'node:http';
import type { FieldValidation } from '#api/kube/decode.ts';
import { bodyMediaTypes, decodeBody } from '#api/kube/decode.ts';
import type { GroupVersionKind, KubeObject } from '#api/kube/types.ts';
import { apiVersionOf } from '#api/kube/types.ts';
import { deferred } from '#lib/async.ts';
import { messageOf } from '#lib/errors.ts';
import { applyFindings } from '../verbs/findings.ts';
import { badRequest, invalidObject, tooLarge, unsupportedMediaType } from '../status.ts';

/** Largest request body, in bytes. */
export const bodyLimitBytes = 3 * 1024 * 1024;

/** Throws `too-large` (413); the rest of the body is not kept, and the connection stays for the answer. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > bodyLimitBytes) throw tooLarge(bodyLimitBytes);
  const body = deferred<Buffer>();
  const chunks: Buffer[] = [];
  let size = 0;
  request.on('data', (chunk: Buffer) => {
    size += chunk.length;
    chunks.push(chunk);
    if (size <= bodyLimitBytes) return;
    request.removeAllListeners('data').pause();
    body.reject(tooLarge(bodyLimitBytes));
  });
  request.on('end', () => body.resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
  request.on('error', (error) => body.reject(badRequest('the request body ended early', error)));
  request.on('close', () => body.reject(badRequest('the request body ended early')));
  return body.promise;
}

/** The body's media type without parameters; JSON where none is said. */
export function mediaTypeOf(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? 'application/json').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

export interface BodyOptions {
  expected: GroupVersionKind;
  validation: FieldValidation;
  warnings: string[];
}

/** The object in a body, whose kind must be the expected one. Throws 415 and 400. */
export function decodeObject(bytes: Buffer, mediaType: string, options: BodyOptions): KubeObject {
  if (!(bodyMediaTypes as readonly string[]).includes(mediaType)) {
    const list = bodyMediaTypes.join(', ');
    throw unsupportedMediaType(`the body of the request was in an unknown format - accepted media types include: ${list}`);
  }
  if (bytes.length === 0) throw badRequest('the request has no body: an object is expected');
  const { expected } = options;
  const decoded = translate(() => decodeBody(bytes, mediaType, expected));
  const { kind, apiVersion } = decoded.object;
  applyFindings(decoded.findings, options, (text) => badRequest(`${kind} in version "${apiVersion.slice(apiVersion.indexOf('/') + 1)}" cannot be handled as a ${expected.kind}: ${text}`));
  checkKind(decoded.object, expected);
  return decoded.object;
}

export function checkKind(object: { apiVersion: string; kind: string }, expected: GroupVersionKind): void {
  const wanted = apiVersionOf(expected);
  if (object.kind !== expected.kind) {
    throw badRequest(`the object provided is unrecognized (must be of type ${expected.kind}): its kind is ${object.kind}`);
  }
  if (object.apiVersion === wanted) return;
  throw badRequest(`the API version in the data (${object.apiVersion}) does not match the expected API version (${wanted})`);
}

/** Throws 422 where the parameter has another value. */
export function fieldValidation(text: string | null): FieldValidation {
  if (text === null || text === '') return 'Warn';
  if (text === 'Ignore' || text === 'Warn' || text === 'Strict') return text;
  const detail = 'supported values: "Ignore", "Strict", "Warn"';
  throw invalidObject({ group: 'meta.k8s.io', kind: 'CreateOptions' }, '', [{ type: 'NotSupported', path: 'fieldValidation', value: text, detail }]);
}

/** Throws 422 unless it is absent or `All`. */
export function dryRun(values: readonly string[]): boolean {
  const wrong = values.find((value) => value !== 'All');
  if (wrong === undefined) return values.length > 0;
  const detail = 'supported values: "All"';
  throw invalidObject({ group: 'meta.k8s.io', kind: 'CreateOptions' }, '', [{ type: 'NotSupported', path: 'dryRun', value: [wrong], detail }]);
}

function translate<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    throw badRequest(messageOf(error), error);
  }
}
