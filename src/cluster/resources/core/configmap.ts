/** Config maps: named texts and bytes for pods. */
import { type FieldError, fieldError } from '#api/kube/field-errors.ts';
import { configKeyErrors } from '#api/kube/names.ts';
import type { ConfigMap } from '#api/kube/types.ts';
import { ageColumn, ageOf, column, nameColumn, nameOf } from '../columns.ts';
import { defineResource, immutable } from '../resource.ts';

/** Bytes in all keys and values of one config map or secret. */
export const maxDataBytes = 1024 * 1024;

/** An error where the keys and values together are over the limit. `values` are texts or base64. */
export function validateSize(path: string, texts: { [key: string]: string } | undefined, encoded: { [key: string]: string } | undefined): FieldError[] {
  let size = 0;
  for (const value of Object.values(texts ?? {})) size += Buffer.byteLength(value);
  for (const value of Object.values(encoded ?? {})) size += Buffer.byteLength(value, 'base64');
  return size > maxDataBytes ? [fieldError.tooLong(path, maxDataBytes)] : [];
}

export function validateKeys(path: string, data: { [key: string]: string } | undefined): FieldError[] {
  return Object.keys(data ?? {}).flatMap((key) => configKeyErrors(key).map((detail) => fieldError.invalid(`${path}[${key}]`, key, detail)));
}

export const configMaps = defineResource<ConfigMap>({
  kind: 'ConfigMap',
  plural: 'configmaps',
  shortNames: ['cm'],
  allowCreateOnUpdate: true,
  columns: [nameColumn, column('Data', 'How many keys there are.'), ageColumn],
  row: (map, context) => [nameOf(map), Object.keys(map.data ?? {}).length + Object.keys(map.binaryData ?? {}).length, ageOf(map, context)],
  validate: (map) => [
    ...validateKeys('data', map.data),
    ...Object.keys(map.binaryData ?? {}).filter((key) => Object.hasOwn(map.data ?? {}, key)).map((key) =>
      fieldError.invalid(`data[${key}]`, key, `duplicate of key present in binaryData`)),
    ...validateKeys('binaryData', map.binaryData),
    ...validateSize('', map.data, map.binaryData),
  ],
  validateUpdate: (map, old) => (old.immutable === true ? [
    ...(map.immutable === true ? [] : [fieldError.forbidden('immutable', 'field is immutable when `immutable` is set')]),
    ...forbiddenChange('data', map.data, old.data),
    ...forbiddenChange('binaryData', map.binaryData, old.binaryData),
  ] : []),
});

export function forbiddenChange(path: string, value: unknown, old: unknown): FieldError[] {
  return immutable(path, value, old).map(() => fieldError.forbidden(path, 'field is immutable when `immutable` is set'));
}
