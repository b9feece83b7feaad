/**
 * Fields as paths, for ownership. A path is a list of elements as `FieldsV1` writes them: `f:<field>` of an object,
 * `k:{"name":"web"}` of a list of objects with keys, `v:"x"` of a set; an item of a list is itself a field, beside
 * those in it. Sets of paths are kept by one text each.
 */
import type { FieldsV1 } from '#api/kube/types.ts';

/** Elements joined by a character that no JSON text holds unescaped. */
export type Path = string;
export type PathSet = Set<Path>;

const separator = '\u0000';

export function join(parent: Path, element: string): Path {
  return parent === '' ? element : `${parent}${separator}${element}`;
}

export function elements(path: Path): string[] {
  return path.split(separator);
}

/** Whether `path` is `ancestor`, or lies within it. */
export function within(path: Path, ancestor: Path): boolean {
  return path === ancestor || path.startsWith(ancestor + separator);
}

/** The wire form of a set: nested objects, with `.` for a path that has others within it. */
export function toFields(set: PathSet): FieldsV1 {
  const root: FieldsV1 = {};
  for (const path of [...set].sort()) {
    let at = root;
    for (const element of elements(path)) at = (at[element] ??= {}) as FieldsV1;
    at['.'] = {};
  }
  dropLeafDots(root);
  return root;
}

/** A leaf is written as an empty object, without the dot. */
function dropLeafDots(at: FieldsV1): void {
  const keys = Object.keys(at);
  if (keys.length === 1 && keys[0] === '.') delete at['.'];
  else for (const key of keys) if (key !== '.') dropLeafDots(at[key] as FieldsV1);
}

export function fromFields(fields: FieldsV1 | undefined): PathSet {
  const set: PathSet = new Set();
  const walk = (at: FieldsV1, path: Path): void => {
    const keys = Object.keys(at);
    if (path !== '' && (keys.length === 0 || keys.includes('.'))) set.add(path);
    for (const key of keys) if (key !== '.') walk(at[key] as FieldsV1, join(path, key));
  };
  if (fields) walk(fields, '');
  return set;
}

/** A path as messages show it: `.spec.containers[name="web"].image`. */
export function pathText(path: Path): string {
  return elements(path).map(elementText).join('');
}

function elementText(element: string): string {
  const rest = element.slice(2);
  if (element.startsWith('f:')) return `.${rest}`;
  if (element.startsWith('v:')) return `[=${rest}]`;
  const keys = JSON.parse(rest) as Record<string, unknown>;
  return `[${Object.entries(keys).map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
}
