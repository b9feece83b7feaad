import { Fault } from '#lib/errors.ts';
import { storeLimits } from './types.ts';

/** Orders keys by their UTF-8 bytes, which is by code point (JavaScript's own order is by UTF-16 unit). */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0;
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return codePointRank(x) - codePointRank(y);
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above all other units. */
function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

export function checkKey(key: string): void {
  if (key === '') throw new Fault('invalid', 'a store key is empty');
  if (!key.isWellFormed()) throw new Fault('invalid', `store key ${JSON.stringify(key)} is not valid Unicode`);
  const bytes = key.length * 3 <= storeLimits.keyBytes ? 0 : Buffer.byteLength(key);
  if (bytes > storeLimits.keyBytes) {
    throw new Fault('too-large', `store key ${key.slice(0, 64)}… is ${bytes} bytes, more than the limit of ${storeLimits.keyBytes} bytes`);
  }
}

export function checkValue(key: string, value: Uint8Array): void {
  if (value.byteLength <= storeLimits.valueBytes) return;
  throw new Fault('too-large', `the value of ${key} is ${value.byteLength} bytes, more than the limit of ${storeLimits.valueBytes} bytes`);
}
