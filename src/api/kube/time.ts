/** Times and durations as the API writes them. */
import { Fault } from '#lib/errors.ts';

const rfc3339 = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/;

export interface Instant {
  /** Since 1970; may be negative. */
  seconds: number;
  /** 0 to 999,999,999. */
  nanos: number;
}

/** Throws `invalid` where `text` is not RFC 3339. */
export function parseTime(text: string): Instant {
  const match = rfc3339.exec(text);
  const millis = match === null ? NaN : Date.parse(text.replace(/\.\d+/, ''));
  if (match === null || Number.isNaN(millis)) {
    const layout = '2006-01-02T15:04:05Z07:00';
    throw new Fault('invalid', `parsing time ${JSON.stringify(text)} as "${layout}": cannot parse ${JSON.stringify(text)} as "2006"`);
  }
  return { seconds: Math.floor(millis / 1000), nanos: Number((match[7] ?? '').padEnd(9, '0')) };
}

/** RFC 3339 to the second: `2026-01-02T03:04:05Z`. */
export function formatTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(/\.\d{3}Z$/, 'Z');
}

/** RFC 3339 with six digits: `2026-01-02T03:04:05.000006Z`. */
export function formatMicroTime({ seconds, nanos }: Instant): string {
  const micros = String(Math.floor(nanos / 1000)).padStart(6, '0');
  return formatTime(seconds).replace('Z', `.${micros}Z`);
}

/** Milliseconds since 1970 of a Time or MicroTime. */
export function millisOfTime(text: string): number {
  const { seconds, nanos } = parseTime(text);
  return seconds * 1000 + Math.floor(nanos / 1_000_000);
}

const unitNanos: Record<string, number> = { ns: 1, us: 1e3, 'µs': 1e3, 'μs': 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };
const durationShape = /^[+-]?(?:0|(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/;

/** Nanoseconds of a Go duration (`1h30m`, `1.5s`). Throws `invalid`. */
export function parseDuration(text: string): number {
  if (!durationShape.test(text)) throw new Fault('invalid', `time: invalid duration ${JSON.stringify(text)}`);
  let total = 0;
  for (const [, number = '0', unit = 'ns'] of text.matchAll(/([\d.]+)(ns|us|µs|μs|ms|s|m|h)/g)) total += Number(number) * (unitNanos[unit] ?? 0);
  return text.startsWith('-') ? -total : total;
}

/** A Go duration of nanoseconds: `1h0m0s`, `1.5s`, `100ms`, `0s`. */
export function formatDuration(nanos: number): string {
  if (nanos === 0) return '0s';
  const sign = nanos < 0 ? '-' : '';
  const size = Math.abs(nanos);
  for (const [unit, scale] of [['ns', 1], ['µs', 1e3], ['ms', 1e6]] as const) {
    if (size < scale * 1000) return `${sign}${size / scale}${unit}`;
  }
  const seconds = size / 1e9;
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = (size - (hours * 3600 + minutes * 60) * 1e9) / 1e9;
  const front = hours > 0 ? `${hours}h${minutes}m` : minutes > 0 ? `${minutes}m` : '';
  return `${sign}${front}${rest}s`;
}

/**
 * An age as tables show it: two units while the larger one is small, then one (`90s`, `4m7s`, `2d3h`, `3y`).
 * @param millis how long
 */
export function humanDuration(millis: number): string {
  const seconds = Math.trunc(millis / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return pair(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  if (hours < 192) return pair(days, 'd', hours % 24, 'h');
  if (hours < 24 * 365 * 2) return `${days}d`;
  const years = Math.floor(hours / 24 / 365);
  if (hours < 24 * 365 * 8) return pair(years, 'y', days % 365, 'd');
  return `${years}y`;
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
}
