/** Small JSON files that keep what was chosen once. What cannot be read is said, and not silently chosen anew. */
import { readFileSync } from 'node:fs';
import { Fault, codeOf, messageOf } from './errors.ts';

/**
 * The value in `file`; undefined where there is none. `conflict` where it is no JSON, or `fits` does not take it; `means`
 * says what removing it does.
 */
export function readStateFile<T>(file: string, fits: (value: unknown) => value is T, means: string): T | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new Fault('internal', `${file} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  const value = parse(text);
  if (fits(value)) return value;
  throw new Fault('conflict', `${file} is damaged: restore it from a copy, or remove it (${means})`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

export function isRecordOf<T>(value: unknown, fits: (field: unknown) => field is T): value is Record<string, T> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(fits);
}

export function isText(value: unknown): value is string {
  return typeof value === 'string';
}

export function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}
