import { decodeOwn, decodeValue, parseJson } from '#api/kube/decode.ts';
import type { FieldValidation } from '#api/kube/decode.ts';
import { applyJsonPatch, applyMergePatch } from '#api/kube/merge-patch.ts';
import { fieldError } from '#api/kube/field-errors.ts';
import { messageOfKind } from '#api/kube/schema.ts';
import { applyStrategicMergePatch } from '#api/kube/strategic-merge.ts';
import type { KubeObject } from '#api/kube/types.ts';
import { isFault, messageOf } from '#lib/errors.ts';
import { applyFindings } from './findings.ts';
import { badRequest, invalidObject, statusFault, unsupportedMediaType } from '../status.ts';
import type { Context, GroupVersionKind } from '../types.ts';
import type { Change } from './update.ts';
import { copyOf } from '../storage/object.ts';

/** What a patch says, by its media type. */
export const patchTypes = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
} as const;

export const applyPatchType = 'application/apply-patch+yaml';

export type PatchType = (typeof patchTypes)[keyof typeof patchTypes];

export interface PatchBody {
  type: PatchType;
  value: unknown;
}

/** Throws 415 for media types that are no patch. */
export function patchTypeOf(mediaType: string): PatchType {
  if (Object.hasOwn(patchTypes, mediaType)) return patchTypes[mediaType as keyof typeof patchTypes];
  const accepted = [...Object.keys(patchTypes), applyPatchType].join(', ');
  throw unsupportedMediaType(`the body of the request was in an unknown format - accepted media types include: ${accepted}`);
}

/** Throws 415 as `patchTypeOf` does. */
export function parsePatch(bytes: Buffer, mediaType: string): PatchBody {
  const type = patchTypeOf(mediaType);
  try {
    return { type, value: parseJson(bytes.toString()) };
  } catch (error) {
    throw badRequest(messageOf(error), error);
  }
}

/** The change that a patch makes to an object of `kind`. */
export function patchChange({ type, value }: PatchBody, kind: GroupVersionKind, validation: FieldValidation, context: Context): Change {
  return (old) => {
    const patched = apply(type, copyOf(old), value, kind);
    // Decoding drops what it does not know.
    const shown = validation === 'Strict' && type !== 'strategic' ? JSON.stringify(patched) : '';
    const decoded = decoding(() => decodeValue(patched, kind));
    const refuse = (text: string): Error => invalidObject({ group: '', kind: '' }, '', [fieldError.invalid('patch', type === 'strategic' ? goValue(value) : shown, text)]);
    applyFindings(decoded.findings, { validation, warnings: context.warnings }, refuse);
    return decoded.object;
  };
}

/** The same of a patch from this process. */
export function ownPatchChange({ type, value }: PatchBody, kind: GroupVersionKind): Change {
  return (old) => {
    const patched = apply(type, copyOf(old), value, kind);
    return decoding(() => decodeOwn(patched, kind));
  };
}

function apply(type: PatchType, object: KubeObject, value: unknown, kind: GroupVersionKind): unknown {
  try {
    if (type === 'json') return applyJsonPatch(object, value);
    if (type === 'merge') return applyMergePatch(object, value);
  } catch (error) {
    throw rejected(error, type === 'json' ? 422 : 400);
  }
  const message = messageOfKind(kind);
  if (!message) throw unsupportedMediaType(`strategic merge patch is not supported for ${kind.kind}`);
  try {
    return applyStrategicMergePatch(object, value, message);
  } catch (error) {
    throw rejected(error, 400);
  }
}

function decoding<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    throw rejected(error, 400);
  }
}

/** As Go prints it by `%+v`: maps in the order of their keys. */
function goValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goValue).join(' ')}]`;
  if (value === null) return '<nil>';
  if (typeof value !== 'object') return typeof value === 'string' ? value : JSON.stringify(value);
  return `map[${Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => `${key}:${goValue(inner)}`).join(' ')}]`;
}

function rejected(error: unknown, code: 400 | 422): Error {
  if (!isFault(error)) return statusFault('internal', messageOf(error), { cause: error });
  if (isFault(error, 'too-large')) return statusFault('too-large', `Request entity too large: ${error.message}`, { cause: error });
  if (code === 400) return badRequest(messageOf(error), error);
  const message = `the server rejected our request due to an error in our request: ${messageOf(error)}`;
  return statusFault('invalid', message, { code, reason: 'Invalid', cause: error });
}
