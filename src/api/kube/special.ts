/** The JSON side of messages that are not objects of their fields: what they must look like, in one form. */
import { Fault, messageOf } from '#lib/errors.ts';
import { canonicalQuantity } from './quantity.ts';
import { formatMicroTime, formatTime, parseDuration, parseTime } from './time.ts';

/** Given a JSON value, the value to keep; throws what is wrong with it. */
type Normalize = (value: unknown) => unknown;

export class WrongType extends Error {}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new WrongType();
  return value;
}

function anyObject(value: unknown): unknown {
  if (typeof value !== 'object') throw new WrongType();
  return value;
}

function texts(value: unknown): unknown {
  if (!Array.isArray(value)) throw new WrongType();
  return value.map(text);
}

function intOrString(value: unknown): unknown {
  if (typeof value === 'string') return value;
  if (!Number.isInteger(value) || Math.abs(value as number) > 2 ** 31) throw new WrongType();
  return value;
}

function quantity(value: unknown): unknown {
  if (typeof value !== 'string' && typeof value !== 'number') throw new WrongType();
  return canonicalQuantity(String(value).trim());
}

function duration(value: unknown): unknown {
  parseDuration(text(value));
  return value;
}

const asIs: Normalize = (value) => value;

const normalizers: ReadonlyMap<string, Normalize> = new Map<string, Normalize>([
  ['resource.Quantity', quantity],
  ['intstr.IntOrString', intOrString],
  ['meta.v1.Time', (value) => formatTime(parseTime(text(value)).seconds)],
  ['meta.v1.MicroTime', (value) => formatMicroTime(parseTime(text(value)))],
  ['meta.v1.Duration', duration],
  ['runtime.RawExtension', anyObject],
  ['meta.v1.FieldsV1', anyObject],
  ['apiextensions.v1.JSON', asIs],
  ['apiextensions.v1.JSONSchemaPropsOrArray', anyObject],
  ['apiextensions.v1.JSONSchemaPropsOrBool', asIs],
  ['apiextensions.v1.JSONSchemaPropsOrStringArray', anyObject],
  ['meta.v1.Verbs', texts],
  ['authentication.v1.ExtraValue', texts],
  ['authorization.v1.ExtraValue', texts],
  ['certificates.v1.ExtraValue', texts],
]);

/** Whether the message's JSON form is not an object of its own fields. */
export function isOpaque(type: string): boolean {
  return normalizers.has(type);
}

/** Throws `WrongType`, or `invalid` with the text of what is wrong. */
export function normalizeSpecial(type: string, value: unknown): unknown {
  const normalize = normalizers.get(type) ?? asIs;
  try {
    return normalize(value);
  } catch (error) {
    if (error instanceof WrongType) throw error;
    throw new Fault('invalid', messageOf(error), { cause: error });
  }
}
