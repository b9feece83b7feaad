/** Objects in the shapes that answers have: themselves, tables of rows, or metadata alone. */
import { encodeProtobuf } from '#api/kube/protobuf.ts';
import type { KubeObject, ListMeta } from '#api/kube/types.ts';
import { apiVersionOf } from '#api/kube/types.ts';
import type { Cell, Resource } from '#cluster/resources/types.ts';
import { stringify } from 'yaml';
import type { CachedObject } from '../storage/object.ts';
import type { Encoding } from './negotiate.ts';

export type IncludeObject = 'None' | 'Metadata' | 'Object';

export const metaVersion = 'meta.k8s.io/v1';

export interface TableRow {
  cells: Cell[];
  object?: unknown;
}

/** The bytes of a value that is not in the cache. */
export function encodeValue(value: { apiVersion: string; kind: string }, encoding: Encoding): Buffer {
  if (encoding === 'protobuf') return Buffer.from(encodeProtobuf(value));
  return Buffer.from(encoding === 'yaml' ? stringify(value) : JSON.stringify(value));
}

/** The object's bytes, made once for each encoding. */
export function objectBytes(object: CachedObject, encoding: Encoding): Buffer {
  return encoding === 'json' ? object.json() : object.form(encoding, () => encodeValue(object.object, encoding));
}

export function partialObject({ metadata }: KubeObject): { apiVersion: string; kind: string; metadata: unknown } {
  return { kind: 'PartialObjectMetadata', apiVersion: metaVersion, metadata };
}

export function partialBytes(object: CachedObject, encoding: Encoding): Buffer {
  return object.form(`partial ${encoding}`, () => encodeValue(partialObject(object.object), encoding));
}

export function tableRow(resource: Resource, object: KubeObject, include: IncludeObject, now: number): TableRow {
  const cells = resource.row(object, { now });
  if (include === 'None') return { cells };
  return { cells, object: include === 'Object' ? object : partialObject(object) };
}

/** A Table. `columns` are left out in all events of a watch but the first. */
export function table(resource: Resource, rows: TableRow[], metadata: ListMeta, columns = true): { apiVersion: string; kind: string } {
  const definitions = columns ? resource.columns.map((column) => ({ ...column })) : null;
  return { kind: 'Table', apiVersion: metaVersion, ...{ metadata, columnDefinitions: definitions, rows } };
}

/** A list as joined bytes of its items. */
export function joinList(resource: Resource, items: readonly Buffer[], metadata: ListMeta, partial: boolean): Buffer {
  const kind = partial ? 'PartialObjectMetadataList' : `${resource.kind}List`;
  const apiVersion = partial ? metaVersion : apiVersionOf(resource);
  const parts: Buffer[] = [Buffer.from(`{"kind":"${kind}","apiVersion":"${apiVersion}","metadata":${JSON.stringify(metadata)},"items":[`)];
  for (const [i, item] of items.entries()) {
    if (i > 0) parts.push(comma);
    parts.push(item);
  }
  parts.push(Buffer.from(']}\n'));
  return Buffer.concat(parts);
}

const comma = Buffer.from(',');
