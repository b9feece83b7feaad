/** Docker's query conventions (docker.md §0.4). */
import type { Filters } from '#api/docker/common.ts';
import { Fault } from '#lib/errors.ts';

const falseWords = ['', '0', 'no', 'false', 'none'];

export function flag(query: URLSearchParams, name: string, fallback = false): boolean {
  const text = query.get(name);
  if (text === null) return fallback;
  return !falseWords.includes(text.trim().toLowerCase());
}

export function text(query: URLSearchParams, name: string): string {
  return query.get(name) ?? '';
}

/** A whole number, or undefined where absent or empty. */
export function integer(query: URLSearchParams, name: string): number | undefined {
  const raw = query.get(name);
  if (raw === null || raw === '') return undefined;
  if (!/^[+-]?\d+$/.test(raw)) throw new Fault('invalid', `invalid value for ${name}: "${raw}" is not a whole number`);
  return Number(raw);
}

/** Seconds since the epoch with up to nine decimals, or RFC 3339, as nanoseconds; undefined where absent, empty or 0. */
export function timestamp(query: URLSearchParams, name: string): bigint | undefined {
  const raw = query.get(name);
  if (raw === null || raw === '' || raw === '0') return undefined;
  const seconds = /^(-?\d+)(?:\.(\d{1,9}))?$/.exec(raw);
  if (seconds) return BigInt(seconds[1] ?? '0') * 1_000_000_000n + BigInt((seconds[2] ?? '').padEnd(9, '0'));
  const ms = Date.parse(raw);
  if (Number.isNaN(ms)) throw new Fault('invalid', `invalid value for ${name}: "${raw}" is neither Unix seconds nor RFC 3339`);
  return BigInt(ms) * 1_000_000n;
}

/** A JSON value of the query, or undefined where absent or empty. */
export function jsonParameter(query: URLSearchParams, name: string): unknown {
  const raw = query.get(name);
  if (raw === null || raw === '') return undefined;
  try {
    return JSON.parse(raw) as unknown;
  } catch (error) {
    throw new Fault('invalid', `invalid value for ${name}: not JSON`, { cause: error });
  }
}

/** A JSON array of strings of the query. */
export function stringList(query: URLSearchParams, name: string): string[] {
  const value = jsonParameter(query, name) ?? [];
  if (Array.isArray(value) && value.every((v): v is string => typeof v === 'string')) return value;
  throw new Fault('invalid', `invalid value for ${name}: must be a JSON array of strings`);
}

/** A JSON object of strings (and, where `nullable`, nulls) of the query. */
export function stringMap(query: URLSearchParams, name: string): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [key, value] of Object.entries(nullableStringMap(query, name))) {
    if (value === null) throw new Fault('invalid', `invalid value for ${name}: ${key} must be a string`);
    result[key] = value;
  }
  return result;
}

export function nullableStringMap(query: URLSearchParams, name: string): Record<string, string | null> {
  const value = jsonParameter(query, name) ?? {};
  if (isObject(value)) {
    const entries = Object.entries(value);
    if (entries.every((e): e is [string, string | null] => e[1] === null || typeof e[1] === 'string')) return Object.fromEntries(entries);
  }
  throw new Fault('invalid', `invalid value for ${name}: must be a JSON object of strings`);
}

/**
 * `filters`: a JSON object whose values are lists (`{"label":["a=b"]}`) or, from older clients and the CLI, maps
 * (`{"label":{"a=b":true}}`). A key that the call does not know is refused.
 */
export function filters(query: URLSearchParams, known: readonly string[]): Filters {
  const value = jsonParameter(query, 'filters') ?? {};
  if (!isObject(value)) throw new Fault('invalid', 'invalid filters: must be a JSON object');
  const result: Record<string, string[]> = {};
  for (const [key, raw] of Object.entries(value)) {
    if (!known.includes(key)) throw new Fault('invalid', `invalid filter '${key}'`);
    result[key] = filterValues(key, raw);
  }
  return result;
}

function filterValues(key: string, raw: unknown): string[] {
  if (Array.isArray(raw) && raw.every((v): v is string => typeof v === 'string')) return raw;
  if (isObject(raw)) return Object.keys(raw).filter((k) => raw[k] === true);
  throw new Fault('invalid', `invalid filter '${key}': must be a list of strings`);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
