import type { JsonObject, Shape } from './shape.ts';
import { isObject, keyOf, shapeWithin } from './shape.ts';
import type { Path } from './paths.ts';
import { join } from './paths.ts';

/** The value of an item of a list, of which only the presence counts. */
const present = true;

/** Every field that can be owned in `value`, with its own value. */
export function fieldsOf(value: unknown, shape: Shape): Map<Path, unknown> {
  const found = new Map<Path, unknown>();
  collect(value, shape, '', found);
  return found;
}

function collect(value: unknown, shape: Shape, path: Path, found: Map<Path, unknown>): void {
  if (shape.type === 'set' && Array.isArray(value) && value.length > 0) {
    for (const item of value) found.set(join(path, `v:${JSON.stringify(item)}`), present);
  } else if (shape.type === 'keyed' && Array.isArray(value) && value.length > 0) {
    for (const item of value as JsonObject[]) {
      const at = join(path, keyOf(item, shape));
      found.set(at, present);
      collectObject(item, { type: 'struct', message: shape.message }, at, found);
    }
  } else if ((shape.type === 'struct' || shape.type === 'map') && isObject(value) && Object.keys(value).length > 0) {
    collectObject(value, shape, path, found);
  } else if (path !== '') found.set(path, value);
}

function collectObject(value: JsonObject, shape: Shape & { type: 'struct' | 'map' }, path: Path, found: Map<Path, unknown>): void {
  for (const [key, child] of Object.entries(value)) {
    if (path === '' && (key === 'apiVersion' || key === 'kind')) continue;
    if (path === 'f:metadata' && unowned.has(key)) continue;
    collect(child, shapeWithin(shape, key), join(path, `f:${key}`), found);
  }
}

/** The server's own part of metadata. */
const unowned = new Set([
  'name', 'namespace', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'selfLink', 'uid', 'generation', 'managedFields', 'resourceVersion',
]);
