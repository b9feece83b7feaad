/** How a value of the schema falls into fields that can be owned one by one. */
import type { Field, Message } from '#api/kube/schema.ts';
import { findMessage } from '#api/kube/schema.ts';
import { isOpaque } from '#api/kube/special.ts';

export type JsonObject = { [key: string]: unknown };

/** What lies at a place: a value owned as a whole, an object by its fields, a list by its items. */
export type Shape =
  | { type: 'whole' }
  | { type: 'struct'; message: Message }
  /** An object with any keys, whose values have `values`. */
  | { type: 'map'; values: Shape }
  | { type: 'keyed'; message: Message; keys: readonly string[] }
  | { type: 'set' };

const whole: Shape = { type: 'whole' };

export function shapeOfMessage(message: Message): Shape {
  return { type: 'struct', message };
}

export function shapeOfField(field: Field | undefined): Shape {
  if (!field) return whole;
  if (field.repeated) return shapeOfList(field);
  if (field.map) return field.mapType === 'atomic' ? whole : { type: 'map', values: shapeOfType(field.type) };
  return field.mapType === 'atomic' ? whole : shapeOfType(field.type, field.mapType === 'granular');
}

function shapeOfList(field: Field): Shape {
  if (field.listType === 'set') return { type: 'set' };
  const message = findMessage(field.type);
  if (field.listType !== 'map' || !message || !field.listMapKeys) return whole;
  return { type: 'keyed', message, keys: [...field.listMapKeys].sort() };
}

function shapeOfType(type: string, granular = false): Shape {
  if (isOpaque(type)) return whole;
  const message = findMessage(type);
  return !message || (message.atomic && !granular) ? whole : { type: 'struct', message };
}

/** The shape of `key` within an object of a struct or map. */
export function shapeWithin(shape: Shape & { type: 'struct' | 'map' }, key: string): Shape {
  return shape.type === 'map' ? shape.values : shapeOfField(shape.message.fields.get(key));
}

/** The path element of an item of a keyed list; a key that is left out has its default. */
export function keyOf(item: JsonObject, { message, keys }: Shape & { type: 'keyed' }): string {
  const values = keys.flatMap((key) => {
    const value = item[key] ?? message.fields.get(key)?.default;
    return value === undefined ? [] : [[key, value]];
  });
  return `k:${JSON.stringify(Object.fromEntries(values))}`;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
