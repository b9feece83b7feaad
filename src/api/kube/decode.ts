/**
 * Request bodies as objects: JSON, YAML or protobuf in, the object and what strict decoding objects to out.
 * The caller decides by `fieldValidation` whether findings are ignored, warned of, or refused.
 */
import { Fault, messageOf } from '#lib/errors.ts';
import { coerce } from './coerce.ts';
import { checkNesting } from './nesting.ts';
import { isEnvelope } from './protobuf-wire.ts';
import { decodeProtobuf, protobufMediaType } from './protobuf.ts';
import { type Message, messageOfKind } from './schema.ts';
import { strictFindings } from './strict-scan.ts';
import { type GroupVersionKind, type KubeObject, apiVersionOf, parseApiVersion } from './types.ts';
import { parseYamlStrict } from './yaml.ts';

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

export interface Decoded {
  object: KubeObject;
  /** `unknown field "spec.foo"`; empty for protobuf, which has no names. */
  findings: string[];
}

/** Media types of bodies that `decodeBody` reads. */
export const bodyMediaTypes = ['application/json', 'application/yaml', protobufMediaType] as const;

/**
 * @param mediaType without parameters; one of `bodyMediaTypes`
 * @param fallback the kind to take where the body names none (its own wins, and the caller compares)
 * @throws `invalid` where the body is no such object
 */
export function decodeBody(bytes: Uint8Array, mediaType: string, fallback: GroupVersionKind): Decoded {
  if (mediaType === protobufMediaType || isEnvelope(bytes)) return { object: withParts(decodeProtobuf(bytes)), findings: [] };
  const text = new TextDecoder().decode(bytes);
  if (mediaType === 'application/yaml') return decodeYaml(text, fallback);
  return decodeJson(text, fallback);
}

export function decodeJson(text: string, fallback: GroupVersionKind): Decoded {
  return typed(parseJson(text), text, fallback);
}

export function decodeYaml(text: string, fallback: GroupVersionKind): Decoded {
  // JSON is YAML, and what clients send as such; it is read ten times as quickly as that.
  const json = /^\s*\{/.test(text) ? jsonOf(text) : undefined;
  if (json !== undefined) return typed(json, text, fallback);
  const { value, duplicates } = parseYamlStrict(text);
  const decoded = typed(value, JSON.stringify(value ?? null), fallback);
  if (duplicates.length > 0) decoded.findings.unshift(['yaml: unmarshal errors:', ...duplicates].join('\n'));
  return decoded;
}

/** `strict decoding error: unknown field "spec.foo", duplicate field "spec.a"`. */
export function strictDecodingError(findings: readonly string[]): string {
  return `strict decoding error: ${findings.join(', ')}`;
}

/** A value parsed elsewhere (the result of a patch) in the form of its kind; unknown fields are found, then dropped. */
export function decodeValue(value: unknown, fallback: GroupVersionKind): Decoded {
  return typed(value, JSON.stringify(value), fallback);
}

/** The same of a value from this process: unknown fields are dropped with no word, which spares the search for them. */
export function decodeOwn(value: unknown, fallback: GroupVersionKind): KubeObject {
  return typed(value, undefined, fallback).object;
}

/** Throws `invalid` where `text` is no JSON. */
export function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    checkNesting(value);
    return value;
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    throw new Fault('invalid', `couldn't get version/kind; json parse error: ${messageOf(cause)}`, { cause });
  }
}

/** Undefined where `text` is no JSON. */
function jsonOf(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

/** @param text what the value was parsed from; undefined where nobody asks for findings */
function typed(value: unknown, text: string | undefined, fallback: GroupVersionKind): Decoded {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Fault('invalid', `couldn't get version/kind; json parse error: the body must be an object`);
  }
  const gvk = kindOf(value as { [key: string]: unknown }, fallback);
  const message = messageOfKind(gvk);
  const findings = text === undefined ? [] : strictFindings(text, message);
  const identity = { apiVersion: apiVersionOf(gvk), kind: gvk.kind };
  const object = coerceKind(value, message, gvk, fallback);
  return { object: withParts({ ...identity, ...object, ...identity } as KubeObject), findings };
}

/** The parts that every object of the kind has, which Go writes even when they are empty. */
function withParts(object: KubeObject): KubeObject {
  const fields = messageOfKind({ ...parseApiVersion(object.apiVersion), kind: object.kind })?.fields;
  for (const part of ['metadata', 'spec']) if (fields?.has(part) === true) object[part] ??= {};
  return object;
}

function coerceKind(value: object, message: Message | undefined, gvk: GroupVersionKind, fallback: GroupVersionKind): object {
  if (message === undefined) return value;
  try {
    return coerce(value, message);
  } catch (cause) {
    const text = `${gvk.kind} in version "${gvk.version}" cannot be handled as a ${fallback.kind}: ${messageOf(cause)}`;
    throw new Fault('invalid', text, { cause });
  }
}

function kindOf(value: { [key: string]: unknown }, fallback: GroupVersionKind): GroupVersionKind {
  const { apiVersion, kind } = value;
  const given = typeof apiVersion === 'string' && apiVersion !== '' ? parseApiVersion(apiVersion) : fallback;
  return { group: given.group, version: given.version, kind: typeof kind === 'string' && kind !== '' ? kind : fallback.kind };
}
