/** Paths and modes of files in volumes. */
import { type FieldError, fieldError } from '#api/kube/field-errors.ts';

/** A path that stays below where it starts. */
export function validateLocalPath(value: string | undefined, path: string): FieldError[] {
  if (value === undefined || value === '') return [];
  if (value.startsWith('/')) return [fieldError.invalid(path, value, 'must be a relative path')];
  return value.split('/').includes('..') ? [fieldError.invalid(path, value, "must not contain '..'")] : [];
}

export function validateMode(mode: number | undefined, path: string): FieldError[] {
  if (mode === undefined || (mode >= 0 && mode <= 0o777)) return [];
  return [fieldError.invalid(path, mode, 'must be a number between 0 and 0777 (octal), both inclusive')];
}
