/**
 * An OpenAPI v2 document as protobuf (`openapi.v2.Document`), the one form in which clients ask for it: kubectl still does, for
 * what has no group version of its own to look up, such as a List.
 *
 * A map is a list of (name, value) pairs; a vendor extension's value is YAML, for which JSON will do.
 */
import { WireWriter } from './protobuf-wire.ts';
import type { Schema } from './openapi-schemas.ts';

/** The type to answer with. */
export const openApiV2MediaType = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
/** What clients ask for; not a valid media type, so that it must not be answered. */
export const openApiV2AskedType = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';

type Fill = (writer: WireWriter) => void;

function nested(fill: Fill): Uint8Array {
  const writer = new WireWriter();
  fill(writer);
  return writer.finish();
}

function text(writer: WireWriter, number: number, value: unknown): void {
  if (typeof value === 'string') writer.text(number, value);
}

function texts(writer: WireWriter, number: number, values: unknown): void {
  for (const value of Array.isArray(values) ? values : []) text(writer, number, value);
}

function flag(writer: WireWriter, number: number, value: unknown): void {
  if (value === true) writer.int(number, 1);
}

/** `Named…` pairs: the key in field 1, the value in field 2. */
function pairs(writer: WireWriter, number: number, entries: unknown, value: (item: Schema) => Uint8Array): void {
  for (const [name, item] of Object.entries((entries ?? {}) as { [name: string]: Schema })) {
    writer.bytes(number, nested((w) => {
      w.text(1, name);
      w.bytes(2, value(item));
    }));
  }
}

function any(value: unknown): Uint8Array {
  return nested((w) => w.text(2, JSON.stringify(value)));
}

function extensions(writer: WireWriter, number: number, holder: Schema): void {
  for (const [name, value] of Object.entries(holder)) {
    if (!name.startsWith('x-')) continue;
    writer.bytes(number, nested((w) => {
      w.text(1, name);
      w.bytes(2, any(value));
    }));
  }
}

function schema(value: Schema): Uint8Array {
  return nested((w) => {
    text(w, 1, value['$ref']);
    text(w, 2, value['format']);
    text(w, 4, value['description']);
    if (value['default'] !== undefined) w.bytes(5, any(value['default']));
    texts(w, 19, value['required']);
    const { additionalProperties, type, items, properties } = value;
    if (additionalProperties !== undefined) w.bytes(21, nested((inner) => inner.bytes(1, schema(additionalProperties as Schema))));
    if (type !== undefined) w.bytes(22, nested((inner) => text(inner, 1, type)));
    if (items !== undefined) w.bytes(23, nested((inner) => inner.bytes(1, schema(items as Schema))));
    if (properties !== undefined) w.bytes(25, nested((inner) => pairs(inner, 1, properties, schema)));
    extensions(w, 31, value);
  });
}

/** A parameter as an item of a list: in the body, in the query or in the path. */
function parameter(value: Schema): Uint8Array {
  const inner = value['in'] === 'body'
    ? nested((w) => w.bytes(1, nested((body) => {
      text(body, 1, value['description']);
      text(body, 2, value['name']);
      text(body, 3, 'body');
      flag(body, 4, value['required']);
      body.bytes(5, schema(value['schema'] as Schema));
    })))
    : nested((w) => w.bytes(2, plainParameter(value)));
  return nested((w) => w.bytes(1, inner));
}

function plainParameter(value: Schema): Uint8Array {
  const inQuery = value['in'] === 'query';
  return nested((w) => w.bytes(inQuery ? 3 : 4, nested((inner) => {
    flag(inner, 1, value['required']);
    text(inner, 2, value['in']);
    text(inner, 3, value['description']);
    text(inner, 4, value['name']);
    text(inner, inQuery ? 6 : 5, value['type']);
    flag(inner, inQuery ? 20 : 19, value['uniqueItems']);
  })));
}

function response(value: Schema): Uint8Array {
  const answer = nested((w) => {
    text(w, 1, value['description']);
    if (value['schema'] !== undefined) w.bytes(2, nested((inner) => inner.bytes(1, schema(value['schema'] as Schema))));
  });
  return nested((w) => w.bytes(1, answer));
}

function operation(value: Schema): Uint8Array {
  return nested((w) => {
    texts(w, 1, value['tags']);
    text(w, 3, value['description']);
    text(w, 5, value['operationId']);
    texts(w, 6, value['produces']);
    texts(w, 7, value['consumes']);
    for (const item of (value['parameters'] ?? []) as Schema[]) w.bytes(8, parameter(item));
    w.bytes(9, nested((inner) => pairs(inner, 1, value['responses'], response)));
    extensions(w, 13, value);
  });
}

const methodNumbers: Readonly<Record<string, number>> = { get: 2, put: 3, post: 4, delete: 5, patch: 8 };

function pathItem(value: Schema): Uint8Array {
  return nested((w) => {
    for (const [method, number] of Object.entries(methodNumbers)) {
      if (value[method] !== undefined) w.bytes(number, operation(value[method] as Schema));
    }
    for (const item of (value['parameters'] ?? []) as Schema[]) w.bytes(9, parameter(item));
  });
}

/** @param document the JSON form, decoded */
export function encodeOpenApiV2(document: Schema): Uint8Array {
  const info = document['info'] as Schema;
  return nested((w) => {
    text(w, 1, document['swagger']);
    w.bytes(2, nested((inner) => {
      text(inner, 1, info['title']);
      text(inner, 2, info['version']);
    }));
    w.bytes(8, nested((inner) => pairs(inner, 2, document['paths'], pathItem)));
    w.bytes(9, nested((inner) => pairs(inner, 1, document['definitions'], schema)));
  });
}
