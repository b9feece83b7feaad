import { copyOf } from '../storage/object.ts';
import type { JsonObject, Shape } from './shape.ts';
import { isObject, keyOf, shapeWithin } from './shape.ts';
import type { Path } from './paths.ts';
import { elements } from './paths.ts';

/** `live` with what `wanted` says: objects by field, keyed lists by item, sets joined, all else replaced. */
export function merge(live: unknown, wanted: unknown, shape: Shape): unknown {
  if ((shape.type === 'struct' || shape.type === 'map') && isObject(live) && isObject(wanted)) {
    const merged: JsonObject = { ...live };
    for (const [key, value] of Object.entries(wanted)) {
      Object.defineProperty(merged, key, { value: merge(own(live, key), value, shapeWithin(shape, key)), enumerable: true, writable: true, configurable: true });
    }
    return merged;
  }
  if (shape.type === 'set' && Array.isArray(live) && Array.isArray(wanted)) {
    return [...live, ...wanted.filter((item) => !live.includes(item))] as unknown[];
  }
  if (shape.type === 'keyed' && Array.isArray(live) && Array.isArray(wanted)) return mergeKeyed(live as JsonObject[], wanted as JsonObject[], shape);
  return copyOf(wanted);
}

function mergeKeyed(live: JsonObject[], wanted: JsonObject[], shape: Shape & { type: 'keyed' }): JsonObject[] {
  const struct: Shape = { type: 'struct', message: shape.message };
  const left = new Map(live.map((item) => [keyOf(item, shape), item]));
  // The order of the manifest, and behind it what only the object has.
  const merged = wanted.map((item) => {
    const key = keyOf(item, shape);
    const before = left.get(key);
    left.delete(key);
    return merge(before ?? {}, item, struct) as JsonObject;
  });
  return [...merged, ...left.values()];
}

function own(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** Takes the field at `path` out of `value`, in place, and what is left empty by that. */
export function removePath(value: JsonObject, shape: Shape, path: Path): void {
  removeAt(value, shape, elements(path));
}

/** Whether the place is empty now. */
function removeAt(value: unknown, shape: Shape, [element = '', ...rest]: string[]): boolean {
  if (Array.isArray(value)) {
    const index = value.findIndex((item) => elementOf(item, shape) === element);
    if (index < 0) return false;
    const itemShape: Shape = shape.type === 'keyed' ? { type: 'struct', message: shape.message } : { type: 'whole' };
    if (rest.length === 0) value.splice(index, 1);
    else removeAt(value[index], itemShape, rest);
    return value.length === 0;
  }
  if (!isObject(value) || (shape.type !== 'struct' && shape.type !== 'map')) return false;
  const key = element.slice(2);
  if (!Object.hasOwn(value, key)) return false;
  if (rest.length === 0 || removeAt(value[key], shapeWithin(shape, key), rest)) delete value[key];
  return Object.keys(value).length === 0;
}

function elementOf(item: unknown, shape: Shape): string {
  return shape.type === 'keyed' ? keyOf(item as JsonObject, shape) : `v:${JSON.stringify(item)}`;
}
