/**
 * Quantities: exact decimal numbers with a suffix (`100m`, `1.5Gi`, `2e3`). The canonical form has no
 * fraction and the largest suffix that keeps it exact, in the family of suffixes it was written in. Nothing
 * finer than a nano is kept (rounded away from zero), nothing larger than 2^63-1.
 */
import { Fault } from '#lib/errors.ts';

type Format = 'BinarySI' | 'DecimalSI' | 'DecimalExponent';

/** `nanos` / 10^9, and the family of suffixes to write it in. */
export interface ParsedQuantity {
  nanos: bigint;
  format: Format;
}

const giga = 1_000_000_000n;
const largest = (2n ** 63n - 1n) * giga;
const shape = /^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$/;
const binary = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
/** Index + (-9 / 3): n is 10^-9, E is 10^18. */
const decimal = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];

function bad(reason: string): Fault {
  return new Fault('invalid', reason);
}

/** Throws `invalid` with the API's own text. */
export function parseQuantity(text: string): ParsedQuantity {
  const match = shape.exec(text);
  if (match === null) throw bad(`quantities must match the regular expression '${shape.source}'`);
  const [, number = '', suffix = ''] = match;
  const digits = /^([+-]?)(\d*)(?:\.(\d*))?$/.exec(number);
  if (digits === null || ((digits[2] ?? '') === '' && (digits[3] ?? '') === '')) throw bad("unable to parse quantity's numeric part");
  const [, sign = '', whole = '', fraction = ''] = digits;
  if (whole.length + fraction.length > 400) throw bad("unable to parse quantity's numeric part");
  const { format, base, power } = parseSuffix(suffix);
  const unscaled = BigInt(`${whole}${fraction}`) * (base === 2 ? 1024n ** BigInt(power) : 1n);
  const exponent = 9 - fraction.length + (base === 10 ? power : 0);
  const nanos = exponent >= 0 ? unscaled * 10n ** BigInt(Math.min(exponent, 400)) : divideUp(unscaled, 10n ** BigInt(-exponent));
  const bounded = nanos > largest ? largest : nanos;
  return { nanos: sign === '-' ? -bounded : bounded, format };
}

function parseSuffix(suffix: string): { format: Format; base: 2 | 10; power: number } {
  const exact = decimal.indexOf(suffix);
  if (exact >= 0) return { format: 'DecimalSI', base: 10, power: (exact - 3) * 3 };
  const power = binary.indexOf(suffix);
  if (power > 0) return { format: 'BinarySI', base: 2, power };
  const exponent = /^[eE]([-+]?\d{1,3})$/.exec(suffix);
  if (exponent === null) throw bad("unable to parse quantity's suffix");
  return { format: 'DecimalExponent', base: 10, power: Number(exponent[1]) };
}

function divideUp(value: bigint, divisor: bigint): bigint {
  return (value + divisor - 1n) / divisor;
}

/** In canonical form. */
export function formatQuantity({ nanos, format }: ParsedQuantity): string {
  if (nanos === 0n) return '0';
  const sign = nanos < 0n ? '-' : '';
  const size = nanos < 0n ? -nanos : nanos;
  if (format === 'BinarySI' && size >= 1024n * giga && size % giga === 0n) return sign + inSteps(size / giga, 1024n, binary);
  if (format === 'DecimalExponent') {
    const { value, steps } = reduce(size, 1000n, 100);
    const exponent = (steps - 3) * 3;
    return `${sign}${value}${exponent === 0 ? '' : `e${exponent}`}`;
  }
  return sign + inSteps(size, 1000n, decimal);
}

function inSteps(value: bigint, base: bigint, suffixes: readonly string[]): string {
  const reduced = reduce(value, base, suffixes.length - 1);
  return `${reduced.value}${suffixes[reduced.steps] ?? ''}`;
}

function reduce(value: bigint, base: bigint, limit: number): { value: bigint; steps: number } {
  let steps = 0;
  while (steps < limit && value % base === 0n) {
    value /= base;
    steps += 1;
  }
  return { value, steps };
}

export function canonicalQuantity(text: string): string {
  return formatQuantity(parseQuantity(text));
}

/** Negative, zero or positive as `a` is smaller than, equal to or greater than `b`. */
export function compareQuantities(a: string, b: string): number {
  const difference = parseQuantity(a).nanos - parseQuantity(b).nanos;
  return difference < 0n ? -1 : Number(difference > 0n);
}

/** As a whole number, rounded up (away from zero). */
export function quantityValue(text: string): number {
  return roundUp(parseQuantity(text).nanos, giga);
}

/** In thousandths, rounded up (away from zero): `100m` is 100. */
export function quantityMilliValue(text: string): number {
  return roundUp(parseQuantity(text).nanos, 1_000_000n);
}

function roundUp(nanos: bigint, unit: bigint): number {
  return nanos < 0n ? -Number(divideUp(-nanos, unit)) : Number(divideUp(nanos, unit));
}
