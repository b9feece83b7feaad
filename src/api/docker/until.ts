/** `until` of filters: a duration back from now (`24h`, `1h30m`), Unix seconds, or RFC 3339. */
import { Fault } from '#lib/errors.ts';

const milliseconds: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds since the epoch. */
export function parseUntil(value: string, now: number): number {
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value) * 1000;
  const parts = [...value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length > 0 && parts.map((part) => part[0]).join('') === value) {
    return now - parts.reduce((sum, [, count, unit]) => sum + Number(count) * (milliseconds[unit ?? ''] ?? 0), 0);
  }
  const at = Date.parse(value);
  if (Number.isNaN(at)) throw new Fault('invalid', `invalid filter 'until=${value}': use a duration (24h), Unix seconds or RFC 3339`);
  return at;
}
