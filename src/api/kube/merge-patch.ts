/** JSON merge patch (RFC 7386) and JSON patch (RFC 6902), within the API server's bounds. */
import jsonPatch, { type Operation } from 'fast-json-patch';
import { Fault, messageOf } from '#lib/errors.ts';

type JsonObject = { [key: string]: unknown };

/** Operations in one JSON patch. */
const maxOperations = 10_000;
/** Characters of JSON that the `copy` operations of one patch may add. */
const maxCopied = 3 * 1024 * 1024;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Sets an own property, whatever its name (`__proto__` too). */
export function setOwn(object: JsonObject, key: string, value: unknown): void {
  if (key === '__proto__') Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
  else object[key] = value;
}

/** The value after the patch; neither argument is changed, but the result shares parts with both. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result: JsonObject = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else setOwn(result, key, applyMergePatch(Object.hasOwn(result, key) ? result[key] : undefined, value));
  }
  return result;
}

/**
 * The value after the operations; `target` is not changed.
 * @throws `invalid` where an operation is malformed, `conflict` where one cannot be applied or a test fails,
 *   `too-large` where there are too many
 */
export function applyJsonPatch(target: unknown, operations: unknown): unknown {
  if (!Array.isArray(operations)) throw new Fault('invalid', 'error decoding patch: a JSON patch must be a list of operations');
  if (operations.length > maxOperations) {
    throw new Fault('too-large', `The allowed maximum operations in a JSON patch is ${maxOperations}, got ${operations.length}`);
  }
  let document = structuredClone(target);
  let copied = 0;
  for (const [index, operation] of operations.entries()) {
    checkOperation(operation, index);
    if (operation.op === 'copy') copied += JSON.stringify(valueAt(document, operation.from) ?? null).length;
    if (copied > maxCopied) throw new Fault('too-large', `the copy operations of the patch add more than ${maxCopied} bytes`);
    document = applyOne(document, operation);
  }
  return document;
}

function checkOperation(operation: unknown, index: number): asserts operation is Operation & { from: string } {
  const valid = isObject(operation) && typeof operation['path'] === 'string'
    && ['add', 'remove', 'replace', 'move', 'copy', 'test'].includes(String(operation['op']));
  if (!valid) throw new Fault('invalid', `error decoding patch: operation ${index} needs an op (add, remove, replace, move, copy or test) and a path`);
}

function applyOne(document: unknown, operation: Operation): unknown {
  try {
    return jsonPatch.applyOperation(document, structuredClone(operation), true, true, true).newDocument;
  } catch (cause) {
    const reason = operation.op === 'test' ? 'testing value failed' : reasonOf(messageOf(cause));
    throw new Fault('conflict', `error in ${operation.op} for path: '${operation.path}': ${reason}`, { cause });
  }
}

/** The library's first line; what it says to programmers is left out. */
function reasonOf(message: string): string {
  if (message.includes('__proto__')) return 'a path cannot lead through __proto__ or constructor/prototype';
  return message.split('\n')[0] ?? 'failed';
}

function valueAt(document: unknown, pointer: string): unknown {
  try {
    return jsonPatch.getValueByPointer(document, pointer) as unknown;
  } catch {
    return undefined;
  }
}
