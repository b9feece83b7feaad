/**
 * Messages whose JSON form is not an object of their fields: a quantity is a text, a time is RFC 3339, a raw
 * extension is whatever object it holds. Each knows its way from protobuf and back.
 */
import { WireReader, WireWriter, isEnvelope } from './protobuf-wire.ts';
import { type Instant, formatDuration, formatMicroTime, formatTime, parseDuration, parseTime } from './time.ts';

export interface SpecialCodec {
  /** The JSON value; undefined where the message stands for "not set". */
  decode(bytes: Uint8Array, nested: NestedCodec): unknown;
  encode(value: unknown, nested: NestedCodec): Uint8Array;
}

/** For specials that hold ordinary messages. */
export interface NestedCodec {
  decode(name: string, bytes: Uint8Array): unknown;
  encode(name: string, value: unknown): Uint8Array;
  /** A whole object in its envelope. */
  object(bytes: Uint8Array): unknown;
}

type Wire = Map<number, (number | Uint8Array)[]>;

const text = new TextDecoder();
const utf8 = new TextEncoder();

function readAll(bytes: Uint8Array): Wire {
  const reader = new WireReader(bytes);
  const fields: Wire = new Map();
  while (!reader.done) {
    const { number, type } = reader.tag();
    if (type !== 0 && type !== 2) {
      reader.skip(type);
      continue;
    }
    const values = fields.get(number) ?? [];
    values.push(type === 0 ? reader.int() : reader.bytes());
    fields.set(number, values);
  }
  return fields;
}

function intOf(fields: Wire, number: number): number {
  const value = fields.get(number)?.at(-1);
  return typeof value === 'number' ? value : 0;
}

function bytesOf(fields: Wire, number: number): Uint8Array | undefined {
  const value = fields.get(number)?.at(-1);
  return value instanceof Uint8Array ? value : undefined;
}

function textsOf(fields: Wire, number: number): string[] {
  return (fields.get(number) ?? []).flatMap((value) => (value instanceof Uint8Array ? [text.decode(value)] : []));
}

function write(fill: (writer: WireWriter) => void): Uint8Array {
  const writer = new WireWriter();
  fill(writer);
  return writer.finish();
}

const quantity: SpecialCodec = {
  decode: (bytes) => textsOf(readAll(bytes), 1)[0] ?? '0',
  encode: (value) => write((w) => w.text(1, String(value))),
};

const intOrString: SpecialCodec = {
  decode: (bytes) => {
    const fields = readAll(bytes);
    return intOf(fields, 1) === 1 ? (textsOf(fields, 3)[0] ?? '') : intOf(fields, 2);
  },
  encode: (value) => write((w) => {
    w.int(1, typeof value === 'number' ? 0 : 1);
    w.int(2, typeof value === 'number' ? value : 0);
    w.text(3, typeof value === 'number' ? '' : String(value));
  }),
};

function time(format: (instant: Instant) => string): SpecialCodec {
  return {
    decode: (bytes) => {
      if (bytes.length === 0) return undefined;
      const fields = readAll(bytes);
      return format({ seconds: intOf(fields, 1), nanos: intOf(fields, 2) });
    },
    encode: (value) => {
      if (typeof value !== 'string') return new Uint8Array();
      const instant = parseTime(value);
      return write((w) => {
        w.int(1, instant.seconds);
        w.int(2, instant.nanos);
      });
    },
  };
}

const duration: SpecialCodec = {
  decode: (bytes) => formatDuration(intOf(readAll(bytes), 1)),
  encode: (value) => write((w) => w.int(1, parseDuration(String(value)))),
};

/** A JSON document in field 1; an enveloped object is taken too. */
const json: SpecialCodec = {
  decode: (bytes, nested) => {
    const raw = bytesOf(readAll(bytes), 1);
    if (raw === undefined || raw.length === 0) return undefined;
    if (isEnvelope(raw)) return nested.object(raw);
    return JSON.parse(text.decode(raw)) as unknown;
  },
  encode: (value) => write((w) => w.bytes(1, utf8.encode(JSON.stringify(value)))),
};

const texts: SpecialCodec = {
  decode: (bytes) => textsOf(readAll(bytes), 1),
  encode: (value) => write((w) => {
    for (const item of Array.isArray(value) ? value : []) w.text(1, String(item));
  }),
};

const schemaProps = 'apiextensions.v1.JSONSchemaProps';

const schemaOrArray: SpecialCodec = {
  decode: (bytes, nested) => {
    const fields = readAll(bytes);
    const single = bytesOf(fields, 1);
    if (single !== undefined) return nested.decode(schemaProps, single);
    return (fields.get(2) ?? []).flatMap((item) => (item instanceof Uint8Array ? [nested.decode(schemaProps, item)] : []));
  },
  encode: (value, nested) => write((w) => {
    if (!Array.isArray(value)) w.bytes(1, nested.encode(schemaProps, value));
    else for (const item of value) w.bytes(2, nested.encode(schemaProps, item));
  }),
};

const schemaOrBool: SpecialCodec = {
  decode: (bytes, nested) => {
    const fields = readAll(bytes);
    const schema = bytesOf(fields, 2);
    return schema === undefined ? intOf(fields, 1) === 1 : nested.decode(schemaProps, schema);
  },
  encode: (value, nested) => write((w) => {
    w.int(1, value === false ? 0 : 1);
    if (typeof value === 'object') w.bytes(2, nested.encode(schemaProps, value));
  }),
};

const schemaOrTexts: SpecialCodec = {
  decode: (bytes, nested) => {
    const fields = readAll(bytes);
    const schema = bytesOf(fields, 1);
    return schema === undefined ? textsOf(fields, 2) : nested.decode(schemaProps, schema);
  },
  encode: (value, nested) => write((w) => {
    if (!Array.isArray(value)) w.bytes(1, nested.encode(schemaProps, value));
    else for (const item of value) w.text(2, String(item));
  }),
};

/** By message name. */
export const specialCodecs: ReadonlyMap<string, SpecialCodec> = new Map([
  ['resource.Quantity', quantity],
  ['intstr.IntOrString', intOrString],
  ['meta.v1.Time', time(({ seconds }) => formatTime(seconds))],
  ['meta.v1.MicroTime', time(formatMicroTime)],
  ['meta.v1.Duration', duration],
  ['runtime.RawExtension', json],
  ['meta.v1.FieldsV1', json],
  ['apiextensions.v1.JSON', json],
  ['meta.v1.Verbs', texts],
  ['authentication.v1.ExtraValue', texts],
  ['authorization.v1.ExtraValue', texts],
  ['certificates.v1.ExtraValue', texts],
  ['apiextensions.v1.JSONSchemaPropsOrArray', schemaOrArray],
  ['apiextensions.v1.JSONSchemaPropsOrBool', schemaOrBool],
  ['apiextensions.v1.JSONSchemaPropsOrStringArray', schemaOrTexts],
]);
