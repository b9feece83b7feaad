/** What the filters of several lists share. */
import type { Filters } from '#api/docker/common.ts';
import { parseUntil } from '#api/docker/until.ts';
import { Fault } from '#lib/errors.ts';

type Labels = Readonly<Record<string, string>> | null | undefined;

/** `key` or `key=value`. */
export function labelMatches(labels: Labels, wanted: string): boolean {
  const at = wanted.indexOf('=');
  if (at < 0) return labels?.[wanted] !== undefined;
  return labels?.[wanted.slice(0, at)] === wanted.slice(at + 1);
}

/** All of `label`, and of `label!` none. */
export function labelsMatch(labels: Labels, filters: Filters): boolean {
  return (filters['label'] ?? []).every((w) => labelMatches(labels, w)) && !(filters['label!'] ?? []).some((w) => labelMatches(labels, w));
}

/** One of the values of `key`, or none was asked for. */
export function anyOf(filters: Filters, key: string, test: (value: string) => boolean): boolean {
  const values = filters[key];
  return values === undefined || values.length === 0 || values.some(test);
}

/** A filter that takes one yes or no; undefined where absent. */
export function booleanFilter(filters: Filters, key: string): boolean | undefined {
  const values = filters[key];
  if (values === undefined || values.length === 0) return undefined;
  if (values.every((v) => v === '1' || v.toLowerCase() === 'true')) return true;
  if (values.every((v) => v === '0' || v.toLowerCase() === 'false')) return false;
  throw new Fault('invalid', `invalid filter '${key}=${values.join(',')}'`);
}

/** Docker matches names by regular expression, or by part where the value is not one. */
export function nameMatches(name: string, wanted: string): boolean {
  if (name.includes(wanted)) return true;
  if (wanted.length > 256 || !/^[\w.^$|()[\]*+?\\/-]+$/.test(wanted)) return false;
  try {
    return new RegExp(wanted).test(name);
  } catch {
    return false;
  }
}

/** `until` of the prunes, in milliseconds since the epoch. */
export function untilFilter(filters: Filters, now: number): number | undefined {
  const value = filters['until']?.[0];
  return value === undefined ? undefined : parseUntil(value, now);
}
