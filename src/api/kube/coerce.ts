/**
 * A parsed JSON value brought into the form of its message, in place: unknown fields go, nulls and zeros
 * that Go would not write go, quantities and times get their one form. What has the wrong type is refused in
 * the words that clients know.
 */
import { Fault } from '#lib/errors.ts';
import { type Field, type Message, message } from './schema.ts';
import { WrongType, isOpaque, normalizeSpecial } from './special.ts';

type JsonObject = { [key: string]: unknown };

const ints: Record<string, number> = { int32: 2 ** 31, int64: 2 ** 63 };
const goNames: Record<string, string> = { double: 'float64', bytes: '[]uint8', 'resource.Quantity': 'resource.Quantity' };

/** Where the walk is, for error texts: the innermost struct and the path of field names. */
interface Place {
  struct: string;
  path: string;
}

/** Throws `invalid` naming the field; `value` is changed in place and returned. */
export function coerce(value: unknown, type: Message): JsonObject {
  return coerceMessage(value, type, { struct: '', path: '' });
}

function coerceMessage(value: unknown, type: Message, place: Place): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw mismatch(value, goName(type.name), place);
  const object = value as JsonObject;
  const struct = type.name.slice(type.name.lastIndexOf('.') + 1);
  for (const key of Object.keys(object)) {
    const field = type.fields.get(key);
    if (field === undefined) {
      if (!(type.isKind && (key === 'apiVersion' || key === 'kind'))) delete object[key];
      else if (typeof object[key] !== 'string') throw mismatch(object[key], 'string', { struct, path: key });
      continue;
    }
    const inner = { struct, path: place.path === '' ? key : `${place.path}.${key}` };
    const kept = object[key] === null ? undefined : coerceField(object[key], field, inner);
    if (kept === undefined || isOmitted(field, kept)) delete object[key];
    else object[key] = kept;
  }
  return object;
}

function coerceField(value: unknown, field: Field, place: Place): unknown {
  if (field.repeated) {
    if (!Array.isArray(value)) throw mismatch(value, `[]${goName(field.type)}`, place);
    return value.map((item) => coerceItem(item, field.type, place));
  }
  if (!field.map) return coerceValue(value, field.type, place);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw mismatch(value, `map[string]${goName(field.type)}`, place);
  const map = value as JsonObject;
  for (const key of Object.keys(map)) {
    const descriptor = { value: coerceItem(map[key], field.type, place), enumerable: true, writable: true, configurable: true };
    Object.defineProperty(map, key, descriptor);
  }
  return map;
}

/** Inside lists and maps a null stands for the zero. */
function coerceItem(value: unknown, type: string, place: Place): unknown {
  if (value !== null) return coerceValue(value, type, place);
  if (type === 'string' || type === 'bytes') return '';
  if (type === 'bool') return false;
  if (ints[type] !== undefined || type === 'double') return 0;
  return isOpaque(type) ? null : {};
}

function coerceValue(value: unknown, type: string, place: Place): unknown {
  if (type === 'string' || type === 'bytes') {
    if (typeof value !== 'string') throw mismatch(value, goName(type), place);
    return type === 'bytes' ? canonicalBase64(value) : value;
  }
  if (type === 'bool') {
    if (typeof value !== 'boolean') throw mismatch(value, 'bool', place);
    return value;
  }
  if (type === 'double') {
    if (typeof value !== 'number') throw mismatch(value, 'float64', place);
    return value;
  }
  const limit = ints[type];
  if (limit !== undefined) {
    if (!Number.isInteger(value) || (value as number) >= limit || (value as number) < -limit) throw mismatch(value, type, place);
    return value;
  }
  if (!isOpaque(type)) return coerceMessage(value, message(type), place);
  try {
    return normalizeSpecial(type, value);
  } catch (error) {
    if (error instanceof WrongType) throw mismatch(value, goName(type), place);
    throw error;
  }
}

function canonicalBase64(value: string): string {
  const bare = value.replaceAll(/[\r\n]/g, '');
  const wrong = /[^A-Za-z0-9+/=]/.exec(bare) ?? /=[^=]/.exec(bare);
  if (wrong !== null || bare.length % 4 !== 0 || /={3}$/.test(bare)) {
    throw new Fault('invalid', `illegal base64 data at input byte ${wrong?.index ?? bare.length - (bare.length % 4)}`);
  }
  return bare;
}

function isOmitted(field: Field, value: unknown): boolean {
  if (field.keepZero || field.pointer) return false;
  if (field.repeated) return (value as unknown[]).length === 0;
  if (field.map) return Object.keys(value as object).length === 0;
  return value === '' || value === 0 || value === false;
}

function goName(type: string): string {
  if (goNames[type] !== undefined) return goNames[type];
  const parts = type.split('.');
  return parts.length === 3 ? `${parts[1]}.${parts[2]}` : type;
}

function mismatch(value: unknown, expected: string, { struct, path }: Place): Fault {
  const where = path === '' ? 'Go value' : `Go struct field ${struct}.${path}`;
  return new Fault('invalid', `json: cannot unmarshal ${jsonKind(value)} into ${where} of type ${expected}`, { details: { field: path } });
}

function jsonKind(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'number' : `number ${value}`;
  return typeof value === 'boolean' ? 'bool' : typeof value;
}
