/**
 * Checks bodies before a backend sees them: a field of another type than the API's is refused by its path. Fields that are
 * not named here pass (clients send fields of newer versions), and null counts as absent, as in Go.
 */
import { Fault } from '#lib/errors.ts';
import { isObject } from './query.ts';

export type Shape = 'string' | 'number' | 'integer' | 'boolean' | 'any' | { list: Shape } | { map: Shape } | { fields: Fields } | { words: true };
export type Fields = Readonly<Record<string, Shape>>;

export const strings: Shape = { list: 'string' };
export const stringMap: Shape = { map: 'string' };
/** Go marshals sets as maps to `{}`. */
export const nameSet: Shape = { map: { fields: {} } };
/** A command: a list of strings, or one string, which stands for a list of one. */
export const words: Shape = { words: true };

/** Entries of one list or map. */
const entryLimit = 10_000;

/** The value, with commands made lists; `invalid` in Docker's words where it does not fit. */
export function check<T>(value: Record<string, unknown>, fields: Fields): T {
  return checkFields(value, fields, '') as T;
}

function checkFields(value: Record<string, unknown>, fields: Fields, path: string): Record<string, unknown> {
  const result: Record<string, unknown> = { ...value };
  for (const [name, shape] of Object.entries(fields)) {
    const field = value[name];
    // in Go a null leaves a text or a number as it was, which is unset
    if (field === null && typeof shape === 'string') delete result[name];
    else if (field !== undefined && field !== null) result[name] = checkValue(field, shape, path === '' ? name : `${path}.${name}`);
  }
  return result;
}

function checkValue(value: unknown, shape: Shape, path: string): unknown {
  if (typeof shape === 'string') {
    if (!isScalar(value, shape)) throw wrong(value, shape, path);
    return value;
  }
  if ('words' in shape) return checkValue(typeof value === 'string' ? [value] : value, strings, path);
  if ('list' in shape) {
    if (!Array.isArray(value)) throw wrong(value, 'list', path);
    limit(value.length, path);
    return value.map((item: unknown, i) => (item === null ? item : checkValue(item, shape.list, `${path}[${i}]`)));
  }
  if (!isObject(value)) throw wrong(value, 'object', path);
  if ('fields' in shape) return checkFields(value, shape.fields, path);
  limit(Object.keys(value).length, path);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, item === null ? item : checkValue(item, shape.map, `${path}.${key}`)]));
}

function isScalar(value: unknown, shape: string): boolean {
  if (shape === 'any') return true;
  return shape === 'integer' ? Number.isSafeInteger(value) : typeof value === shape;
}

function limit(count: number, path: string): void {
  if (count > entryLimit) throw new Fault('too-large', `invalid JSON: ${path} has more than ${entryLimit} entries`);
}

function wrong(value: unknown, wanted: string, path: string): Fault {
  const found = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  return new Fault('invalid', `invalid JSON: cannot unmarshal ${found} into field ${path} of type ${wanted}`);
}
