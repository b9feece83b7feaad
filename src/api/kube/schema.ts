/**
 * The schema registry: what is known of each API message, from `generated/schema.json`, read on first use.
 *
 * A message is named `<group>.<version>.<Name>` (`core.v1.Pod`, `meta.v1.ObjectMeta`). Its fields are those
 * of the JSON form; a field whose Go struct embeds another (Volume's source, Probe's handler) is an `inline`
 * field on the protobuf side, and its fields stand among the message's own on the JSON side.
 */
import { readFileSync } from 'node:fs';
import { assert } from '#lib/assert.ts';
import { Fault } from '#lib/errors.ts';
import { ownFile } from '#lib/own-modules.ts';
import type { GroupVersionKind } from './types.ts';

export interface Field {
  /** In JSON. */
  name: string;
  /** `string`, `bool`, `int32`, `int64`, `double`, `bytes` (base64 in JSON), or a message's name. */
  type: string;
  /** In protobuf. */
  number: number;
  repeated: boolean;
  /** An object with arbitrary keys, whose values have `type`. */
  map: boolean;
  /** Protobuf only: the nested message whose fields are the parent's own in JSON. */
  inline: boolean;
  required: boolean;
  /** A pointer in Go: zero differs from absent. */
  pointer: boolean;
  /** Written even when zero (no omitempty). */
  keepZero: boolean;
  /** `merge`, `replace`, `retainKeys`, or several joined by commas. */
  patchStrategy?: string;
  patchMergeKey?: string;
  /** `atomic`, `set` or `map`. */
  listType?: string;
  listMapKeys?: string[];
  /** `atomic` or `granular`. */
  mapType?: string;
  default?: unknown;
}

export interface Message {
  name: string;
  /** It has apiVersion and kind in JSON. */
  isKind: boolean;
  /** Replaced as one value, with one owner. */
  atomic: boolean;
  /** By JSON name, inlined ones among them. */
  fields: ReadonlyMap<string, Field>;
  /** By protobuf number and in that order, without the inlined ones. */
  wire: ReadonlyMap<number, Field>;
}

interface RawField {
  n: number; t: string; r?: 1; m?: 1; i?: 1; req?: 1; ptr?: 1; keep?: 1;
  ps?: string; pk?: string; lt?: string; lk?: string[]; mt?: string; d?: unknown;
}
type RawSchema = Record<string, { k?: 1; a?: 1; f: Record<string, RawField> }>;

let raw: RawSchema | undefined;
const built = new Map<string, Message>();

function schema(): RawSchema {
  raw ??= JSON.parse(readFileSync(ownFile('api/kube/generated/schema.json'), 'utf8')) as RawSchema;
  return raw;
}

/** The message of that name, or undefined. */
export function findMessage(name: string): Message | undefined {
  const known = built.get(name);
  if (known !== undefined) return known;
  if (!Object.hasOwn(schema(), name)) return undefined;
  const entry = schema()[name];
  if (entry === undefined) return undefined;
  const fields = new Map<string, Field>();
  const wire = new Map<number, Field>();
  for (const [json, rawField] of Object.entries(entry.f)) {
    const field = toField(json, rawField);
    wire.set(field.number, field);
    if (!field.inline) fields.set(json, field);
    else for (const [inner, innerField] of message(field.type).fields) fields.set(inner, innerField);
  }
  const inNumberOrder = new Map([...wire].sort(([a], [b]) => a - b));
  const result: Message = { name, isKind: entry.k === 1, atomic: entry.a === 1, fields, wire: inNumberOrder };
  built.set(name, result);
  return result;
}

/** The message of that name, which must exist. */
export function message(name: string): Message {
  const found = findMessage(name);
  assert(found !== undefined, `no API message ${name}`);
  return found;
}

function toField(name: string, f: RawField): Field {
  const field: Field = {
    name, type: f.t, number: f.n, repeated: f.r === 1, map: f.m === 1, inline: f.i === 1,
    required: f.req === 1, pointer: f.ptr === 1, keepZero: f.keep === 1,
  };
  if (f.ps !== undefined) field.patchStrategy = f.ps;
  if (f.pk !== undefined) field.patchMergeKey = f.pk;
  if (f.lt !== undefined) field.listType = f.lt;
  if (f.lk !== undefined) field.listMapKeys = f.lk;
  if (f.mt !== undefined) field.mapType = f.mt;
  if (f.d !== undefined) field.default = f.d;
  return field;
}

/** API group -> first word of the message name, where they differ. */
const prefixOfGroup: Record<string, string> = {
  '': 'core',
  'rbac.authorization.k8s.io': 'rbac',
  'networking.k8s.io': 'networking',
  'discovery.k8s.io': 'discovery',
  'storage.k8s.io': 'storage',
  'scheduling.k8s.io': 'scheduling',
  'coordination.k8s.io': 'coordination',
  'node.k8s.io': 'node',
  'events.k8s.io': 'events',
  'authentication.k8s.io': 'authentication',
  'authorization.k8s.io': 'authorization',
  'certificates.k8s.io': 'certificates',
  'admissionregistration.k8s.io': 'admissionregistration',
  'admission.k8s.io': 'admission',
  'flowcontrol.apiserver.k8s.io': 'flowcontrol',
  'resource.k8s.io': 'resource',
  'apiextensions.k8s.io': 'apiextensions',
  'apiregistration.k8s.io': 'apiregistration',
  'apidiscovery.k8s.io': 'apidiscovery',
  'meta.k8s.io': 'meta',
};
const groupOfPrefix = new Map(Object.entries(prefixOfGroup).map(([group, prefix]) => [prefix, group]));

/** The group and version of a message's package; `meta.v1` messages are of every group. */
export function groupVersionOf(name: string): { group: string; version: string } {
  const [prefix = '', version = ''] = name.split('.');
  return { group: groupOfPrefix.get(prefix) ?? prefix, version };
}

/** The message that describes a kind; the kinds of `meta.v1` (Status, DeleteOptions …) are in every group. */
export function messageOfKind({ group, version, kind }: GroupVersionKind): Message | undefined {
  const prefix = prefixOfGroup[group] ?? group;
  const own = findMessage(`${prefix}.${version}.${kind}`);
  if (own?.isKind === true) return own;
  const shared = findMessage(`meta.v1.${kind}`);
  return shared !== undefined && (shared.isKind || kind === 'WatchEvent') ? shared : undefined;
}

/** As `messageOfKind`; a kind that is not known is the caller's mistake. */
export function requireKind(gvk: GroupVersionKind): Message {
  const found = messageOfKind(gvk);
  if (found !== undefined) return found;
  const where = gvk.group === '' ? gvk.version : `${gvk.group}/${gvk.version}`;
  throw new Fault('invalid', `no kind "${gvk.kind}" is registered for version "${where}"`);
}
