/** Defaults that the schema itself carries (`+default` markers), put where a field was left out. */
import { type Field, type Message, findMessage, message as messageNamed } from './schema.ts';
import { isOpaque } from './special.ts';

type JsonObject = { [key: string]: unknown };

const reaches = new Map<string, boolean>();

/** Fills in `object` in place. Objects that are absent stay absent. */
export function applyDefaults(object: object, message: Message): void {
  if (!reachesDefault(message, new Set())) return;
  const target = object as JsonObject;
  for (const field of message.fields.values()) {
    const value = target[field.name];
    if (value === undefined) {
      if (isWritten(field)) target[field.name] = structuredClone(field.default);
      continue;
    }
    const inner = isOpaque(field.type) ? undefined : findMessage(field.type);
    if (inner === undefined || typeof value !== 'object' || value === null) continue;
    const each = field.repeated || field.map ? Object.values(value) : [value];
    for (const item of each) if (typeof item === 'object' && item !== null) applyDefaults(item as object, inner);
  }
}

/** Whether there is a default, and JSON tells it from the field's absence. */
function isWritten(field: Field): boolean {
  if (field.default === undefined) return false;
  return field.pointer || field.keepZero || !['', 0, false].includes(field.default as string);
}

/** Whether the message or any inside it has a default, so that whole subtrees are passed over. */
function reachesDefault(message: Message, path: Set<string>): boolean {
  const known = reaches.get(message.name);
  if (known !== undefined) return known;
  if (path.has(message.name)) return false;
  path.add(message.name);
  let result = false;
  for (const field of message.fields.values()) {
    const inner = isOpaque(field.type) ? undefined : findMessage(field.type);
    if (isWritten(field) || (inner !== undefined && reachesDefault(messageNamed(inner.name), path))) result = true;
    if (result) break;
  }
  path.delete(message.name);
  if (result || path.size === 0) reaches.set(message.name, result);
  return result;
}
