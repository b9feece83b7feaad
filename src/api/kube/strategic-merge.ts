/**
 * Strategic merge patch: a merge patch that knows, from the schema, which lists are merged by a key.
 *
 * Directives in a patch: `$patch: replace | delete | merge` in an object or a list item, `$retainKeys` (what
 * else the object may keep), `$setElementOrder/<list>` (the wished order), `$deleteFromPrimitiveList/<list>`.
 */
import { Fault } from '#lib/errors.ts';
import { isObject, setOwn } from './merge-patch.ts';
import { type Field, type Message, findMessage } from './schema.ts';
import { isOpaque } from './special.ts';

type JsonObject = { [key: string]: unknown };

const orderPrefix = '$setElementOrder/';
const deletePrefix = '$deleteFromPrimitiveList/';

/** The object after the patch; `original` is not changed. Throws `invalid` where the patch cannot be read. */
export function applyStrategicMergePatch(original: JsonObject, patch: unknown, message: Message): JsonObject {
  if (!isObject(patch)) throw new Fault('invalid', 'a strategic merge patch must be an object');
  return mergeObjects(structuredClone(original), patch, message);
}

function mergeObjects(original: JsonObject, patch: JsonObject, message: Message | undefined): JsonObject {
  const directive = patch['$patch'];
  if (directive === 'replace') return withoutDirectives(patch) as JsonObject;
  if (directive === 'delete') return {};
  if (directive !== undefined && directive !== 'merge') throw new Fault('invalid', `unrecognized patch directive: ${JSON.stringify(directive)}`);
  retainKeys(original, patch);
  for (const key of Object.keys(patch)) {
    if (key === '$patch' || key === '$retainKeys') continue;
    if (key.startsWith(deletePrefix)) deletePrimitives(original, key.slice(deletePrefix.length), patch[key]);
    else if (key.startsWith(orderPrefix)) orderAlone(original, patch, key.slice(orderPrefix.length), message);
    else mergeKey(original, patch, key, message);
  }
  return original;
}

function mergeKey(original: JsonObject, patch: JsonObject, key: string, message: Message | undefined): void {
  const value = patch[key];
  if (value === null) {
    delete original[key];
    return;
  }
  const field = message?.fields.get(key);
  const known = Object.hasOwn(original, key) ? original[key] : undefined;
  if (isObject(value)) {
    const replace = field?.patchStrategy?.split(',').includes('replace') === true;
    setOwn(original, key, mergeObjects(isObject(known) && !replace ? known : {}, value, innerMessage(field, message)));
  } else if (Array.isArray(value) && isMerged(field)) {
    const order = patch[`${orderPrefix}${key}`];
    setOwn(original, key, mergeLists(Array.isArray(known) ? known : [], value, order, field));
  } else setOwn(original, key, withoutDirectives(value));
}

function isMerged(field: Field | undefined): field is Field {
  return field?.patchStrategy?.split(',').includes('merge') === true;
}

function innerMessage(field: Field | undefined, parent: Message | undefined): Message | undefined {
  if (field === undefined || parent === undefined || field.map || isOpaque(field.type)) return undefined;
  return findMessage(field.type);
}

function mergeLists(original: unknown[], patch: unknown[], order: unknown, field: Field): unknown[] {
  const key = field.patchMergeKey;
  const merged = key === undefined ? mergePrimitives(original, patch) : mergeByKey(original, patch, key, findMessage(field.type));
  // Where no order is given the patch's own is meant, so a new item comes before those that it does not name.
  return inOrder(merged, original, Array.isArray(order) ? order : patch, identityBy(key));
}

function mergePrimitives(original: unknown[], patch: unknown[]): unknown[] {
  return [...new Set([...original, ...patch])];
}

function mergeByKey(original: unknown[], patch: unknown[], key: string, message: Message | undefined): unknown[] {
  const items = patch.map((item) => {
    if (!isObject(item)) throw new Fault('invalid', `a list merged by ${key} must hold objects`);
    return item;
  });
  if (items.some((item) => item['$patch'] === 'replace')) return items.filter((item) => item['$patch'] !== 'replace').map(withoutDirectives);
  let result = [...original];
  for (const item of items) {
    const identity = item[key];
    if (identity === undefined || identity === null) {
      throw new Fault('invalid', `map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
    }
    const matches = (other: unknown): boolean => isObject(other) && other[key] === identity;
    if (item['$patch'] === 'delete') {
      result = result.filter((other) => !matches(other));
      continue;
    }
    const index = result.findIndex(matches);
    const found = result[index];
    if (isObject(found)) result[index] = mergeObjects(found, item, message);
    else result.push(mergeObjects({}, item, message));
  }
  return result;
}

function identityBy(key: string | undefined): (item: unknown) => unknown {
  return (item) => (key !== undefined && isObject(item) ? item[key] : item);
}

/** Items named in `order` in that order; the server's other items keep their place among them. */
function inOrder(merged: unknown[], server: unknown[], order: unknown[], identity: (item: unknown) => unknown): unknown[] {
  const wished = order.map(identity);
  const existing = server.map(identity);
  const rank = (list: unknown[], item: unknown): number => list.indexOf(identity(item));
  const right = merged.filter((item) => rank(wished, item) >= 0).sort((a, b) => rank(wished, a) - rank(wished, b));
  const left = merged.filter((item) => rank(wished, item) < 0).sort((a, b) => rank(existing, a) - rank(existing, b));
  const result: unknown[] = [];
  while (left.length > 0 && right.length > 0) {
    const [l, r] = [rank(existing, left[0]), rank(existing, right[0])];
    result.push(l >= 0 && r >= 0 && l < r ? left.shift() : right.shift());
  }
  return [...result, ...left, ...right];
}

/** `$setElementOrder` without the list itself: only the order changes. */
function orderAlone(original: JsonObject, patch: JsonObject, key: string, message: Message | undefined): void {
  if (Object.hasOwn(patch, key)) return;
  const known = original[key];
  const order = patch[`${orderPrefix}${key}`];
  const field = message?.fields.get(key);
  if (!Array.isArray(known) || !Array.isArray(order) || !isMerged(field)) return;
  original[key] = inOrder(known, known, order, identityBy(field.patchMergeKey));
}

function deletePrimitives(original: JsonObject, key: string, values: unknown): void {
  const known = original[key];
  if (!Array.isArray(values)) throw new Fault('invalid', `${deletePrefix}${key} must be a list`);
  if (Array.isArray(known)) original[key] = known.filter((item) => !values.includes(item));
}

function retainKeys(original: JsonObject, patch: JsonObject): void {
  const retain = patch['$retainKeys'];
  if (retain === undefined) return;
  if (!Array.isArray(retain)) throw new Fault('invalid', '$retainKeys must be a list of field names');
  const extra = Object.keys(patch).find((key) => !key.startsWith('$') && patch[key] !== null && !retain.includes(key));
  if (extra !== undefined) throw new Fault('invalid', `$retainKeys must name every field of the patch; ${extra} is missing`);
  for (const key of Object.keys(original)) if (!retain.includes(key)) delete original[key];
}

/** A part of the patch that becomes a value: directives and nulls are not part of it. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((item) => !isObject(item) || item['$patch'] !== 'delete').map((item) => withoutDirectives(item));
  if (!isObject(value)) return value;
  const result: JsonObject = {};
  for (const [key, inner] of Object.entries(value)) {
    if (inner !== null && key !== '$patch' && key !== '$retainKeys' && !key.startsWith(orderPrefix) && !key.startsWith(deletePrefix)) {
      setOwn(result, key, withoutDirectives(inner));
    }
  }
  return result;
}
