import { Fault } from './errors.ts';

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds of a duration as Go's programs take it: `40s`, `1m30s`, `500ms`. Fault `invalid`, by `what`. */
export function parseDuration(what: string, text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== text) throw new Fault('invalid', `${what} takes a duration such as 40s or 1m30s, not ${JSON.stringify(text)}`);
  return parts.reduce((sum, [, number, unit = '']) => sum + Number(number) * (units[unit] ?? 0), 0);
}
