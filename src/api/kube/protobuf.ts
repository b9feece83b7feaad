/**
 * Kubernetes protobuf bodies <-> the JSON form of the same object, for every kind in the schema registry.
 *
 * A body is four magic bytes and a `runtime.Unknown` whose `raw` is the object without apiVersion and kind.
 * A watch stream has no magic of its own: each frame is a 4-byte big-endian length and a WatchEvent, whose
 * object is such a body. Fields that are not known are skipped, as any protobuf reader does.
 */
import { Fault, isFault, messageOf } from '#lib/errors.ts';
import { type NestedCodec, specialCodecs } from './protobuf-special.ts';
import { WireReader, WireWriter, envelopeMagic as magic, isEnvelope, wireType } from './protobuf-wire.ts';
import { type Field, type Message, message, requireKind } from './schema.ts';
import { type KubeObject, parseApiVersion } from './types.ts';

export const protobufMediaType = 'application/vnd.kubernetes.protobuf';

/** Messages inside messages; only JSON schemas nest at all deeply. */
const maxDepth = 100;

type JsonObject = { [key: string]: unknown };

/** Throws `invalid` where the bytes are no such body, or hold a kind that is not known. */
export function decodeProtobuf(bytes: Uint8Array): KubeObject {
  return decodeEnvelope(bytes, 0);
}

function decodeEnvelope(bytes: Uint8Array, depth: number): KubeObject {
  if (!isEnvelope(bytes)) {
    throw new Fault('invalid', 'provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]');
  }
  const unknown = decodeMessage(message('runtime.Unknown'), bytes.subarray(magic.length), depth, true);
  const apiVersion = typeof unknown['apiVersion'] === 'string' ? unknown['apiVersion'] : '';
  const kind = typeof unknown['kind'] === 'string' ? unknown['kind'] : '';
  const raw = unknown['raw'];
  const known = requireKind({ ...parseApiVersion(apiVersion), kind });
  try {
    const body = decodeMessage(known, raw instanceof Uint8Array ? raw : new Uint8Array(), depth, false);
    return { apiVersion, kind, ...body } as KubeObject;
  } catch (cause) {
    // A time beyond the calendar, a raw extension that is no JSON: what is inside may be anything.
    throw isFault(cause) ? cause : new Fault('invalid', `the protobuf body cannot be read as a ${kind}: ${messageOf(cause)}`, { cause });
  }
}

/** The enveloped body of an object; its kind must be in the registry (`invalid` if not). */
export function encodeProtobuf(object: { apiVersion: string; kind: string }): Uint8Array {
  const known = requireKind({ ...parseApiVersion(object.apiVersion), kind: object.kind });
  const envelope = new WireWriter();
  const type = new WireWriter();
  type.text(1, object.apiVersion);
  type.text(2, object.kind);
  envelope.bytes(1, type.finish());
  envelope.bytes(2, encodeMessage(known, object as JsonObject, 0));
  envelope.text(3, '');
  envelope.text(4, '');
  const body = envelope.finish();
  const result = new Uint8Array(magic.length + body.length);
  result.set(magic);
  result.set(body, magic.length);
  return result;
}

/** One frame of a protobuf watch stream; `object` is an enveloped body, shared by all watchers. */
export function watchFrame(type: string, object: Uint8Array): Uint8Array {
  const extension = new WireWriter();
  extension.bytes(1, object);
  const event = new WireWriter();
  event.text(1, type);
  event.bytes(2, extension.finish());
  const body = event.finish();
  const frame = new Uint8Array(4 + body.length);
  new DataView(frame.buffer).setUint32(0, body.length);
  frame.set(body, 4);
  return frame;
}

function decodeNested(name: string, bytes: Uint8Array, depth: number): unknown {
  if (depth > maxDepth) throw new Fault('too-large', `the protobuf body nests more than ${maxDepth} messages`);
  const special = specialCodecs.get(name);
  if (special === undefined) return decodeMessage(message(name), bytes, depth, false);
  return special.decode(bytes, nestedAt(depth + 1));
}

function nestedAt(depth: number): NestedCodec {
  return {
    decode: (name, bytes) => decodeNested(name, bytes, depth),
    encode: (name, value) => encodeNested(name, value, depth),
    object: (bytes) => decodeEnvelope(bytes, depth),
  };
}

function decodeMessage(type: Message, bytes: Uint8Array, depth: number, rawBytes: boolean): JsonObject {
  const reader = new WireReader(bytes);
  const found = new Map<Field, unknown>();
  while (!reader.done) {
    const { number, type: wire } = reader.tag();
    const field = type.wire.get(number);
    if (field === undefined) reader.skip(wire);
    else if (field.map) addEntry(found, field, reader.bytes(), depth);
    else if (field.repeated) addItems(found, field, reader, wire, depth);
    else found.set(field, decodeValue(field.type, reader, wire, depth, rawBytes));
  }
  const object: JsonObject = {};
  for (const [field, value] of found) {
    if (field.inline) Object.assign(object, value);
    else if (value !== undefined && !isOmittedZero(field, value)) object[field.name] = value;
  }
  return object;
}

/** Go writes the zero of a plain field; its JSON leaves it out. */
function isOmittedZero(field: Field, value: unknown): boolean {
  if (field.pointer || field.keepZero || field.repeated || field.map) return false;
  return value === '' || value === 0 || value === false;
}

function addItems(found: Map<Field, unknown>, field: Field, reader: WireReader, wire: number, depth: number): void {
  const items = (found.get(field) ?? []) as unknown[];
  found.set(field, items);
  const packed = wire === wireType.bytes && ['int32', 'int64', 'bool', 'double'].includes(field.type);
  if (!packed) {
    items.push(decodeValue(field.type, reader, wire, depth, false) ?? null);
    return;
  }
  const inner = new WireReader(reader.bytes());
  const each = field.type === 'double' ? wireType.fixed64 : wireType.varint;
  while (!inner.done) items.push(decodeValue(field.type, inner, each, depth, false));
}

function addEntry(found: Map<Field, unknown>, field: Field, bytes: Uint8Array, depth: number): void {
  const entries = (found.get(field) ?? {}) as JsonObject;
  found.set(field, entries);
  const reader = new WireReader(bytes);
  let key = '';
  let value: unknown;
  while (!reader.done) {
    const { number, type } = reader.tag();
    if (number === 1) key = reader.text();
    else if (number === 2) value = decodeValue(field.type, reader, type, depth, false);
    else reader.skip(type);
  }
  // A key may be anything, `__proto__` too.
  Object.defineProperty(entries, key, { value: value ?? zeroOf(field.type), enumerable: true, writable: true, configurable: true });
}

function zeroOf(type: string): unknown {
  if (type === 'string' || type === 'bytes') return '';
  if (type === 'bool') return false;
  if (type === 'int32' || type === 'int64' || type === 'double') return 0;
  return decodeNested(type, new Uint8Array(), 0) ?? null;
}

function decodeValue(type: string, reader: WireReader, wire: number, depth: number, rawBytes: boolean): unknown {
  const expected = type === 'double' ? wireType.fixed64 : type === 'bool' || type.startsWith('int') && !type.includes('.') ? wireType.varint : wireType.bytes;
  if (wire !== expected) throw new Fault('invalid', `the protobuf body has wire type ${wire} where ${type} is expected`);
  switch (type) {
    case 'string': return reader.text();
    case 'bytes': {
      const bytes = reader.bytes();
      return rawBytes ? bytes : Buffer.from(bytes).toString('base64');
    }
    case 'bool': return reader.int() !== 0;
    case 'int32':
    case 'int64': return reader.int();
    case 'double': return reader.double();
    default: return decodeNested(type, reader.bytes(), depth + 1);
  }
}

function encodeNested(name: string, value: unknown, depth: number): Uint8Array {
  if (depth > maxDepth) throw new Fault('too-large', `the object nests more than ${maxDepth} messages`);
  const special = specialCodecs.get(name);
  if (special === undefined) return encodeMessage(message(name), (value ?? {}) as JsonObject, depth);
  return special.encode(value, nestedAt(depth + 1));
}

function encodeMessage(type: Message, object: JsonObject, depth: number): Uint8Array {
  const writer = new WireWriter();
  for (const field of type.wire.values()) {
    const value = field.inline ? object : object[field.name];
    if (value === undefined || value === null) continue;
    if (field.repeated) for (const item of value as unknown[]) encodeValue(writer, field.type, field.number, item, depth);
    else if (field.map) encodeEntries(writer, field, value as JsonObject, depth);
    else encodeValue(writer, field.type, field.number, value, depth);
  }
  return writer.finish();
}

function encodeEntries(writer: WireWriter, field: Field, entries: JsonObject, depth: number): void {
  for (const key of Object.keys(entries).sort()) {
    const entry = new WireWriter();
    entry.text(1, key);
    encodeValue(entry, field.type, 2, entries[key], depth);
    writer.bytes(field.number, entry.finish());
  }
}

function encodeValue(writer: WireWriter, type: string, number: number, value: unknown, depth: number): void {
  switch (type) {
    case 'string': return writer.text(number, String(value));
    case 'bytes': return writer.bytes(number, Buffer.from(String(value), 'base64'));
    case 'bool': return writer.int(number, value === true ? 1 : 0);
    case 'int32':
    case 'int64': return writer.int(number, Number(value));
    case 'double': return writer.double(number, Number(value));
    default: return writer.bytes(number, encodeNested(type, value, depth + 1));
  }
}
