import { Fault } from '../errors.ts';
import { decodeName } from './text.ts';

/** The records of a PAX header; values stay bytes, since extended attributes are no text. */
export type PaxRecords = Map<string, Buffer>;

/** Parses `<length> <key>=<value>\n` records. */
export function parsePax(data: Buffer): PaxRecords {
  const records: PaxRecords = new Map();
  let at = 0;
  while (at < data.length) {
    const space = data.indexOf(0x20, at);
    const digits = space < 0 || space - at > 10 ? '' : data.toString('latin1', at, space);
    const length = /^[0-9]+$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    const equals = data.indexOf(0x3d, space);
    if (length < 5 || end > data.length || data[end - 1] !== 0x0a || equals < 0 || equals >= end) {
      // Some writers pad the last record with zeros.
      if (data.subarray(at).every((byte) => byte === 0)) return records;
      throw new Fault('invalid', 'tar: malformed PAX header');
    }
    records.set(decodeName(data.subarray(space + 1, equals)), Buffer.from(data.subarray(equals + 1, end - 1)));
    at = end;
  }
  return records;
}

export function encodePax(records: ReadonlyMap<string, Buffer>): Buffer {
  const parts: Buffer[] = [];
  for (const [key, value] of records) {
    const tail = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
    // The length counts its own digits.
    let length = tail.length + String(tail.length).length;
    if (String(length).length !== String(tail.length).length) length = tail.length + String(length).length;
    parts.push(Buffer.from(String(length), 'latin1'), tail);
  }
  return Buffer.concat(parts);
}

/** `123.000000456` as nanoseconds; digits past the ninth are cut. */
export function parsePaxTime(text: string): bigint {
  const match = /^(-?)([0-9]{1,18})(?:\.([0-9]{0,64}))?$/.exec(text);
  if (!match) throw new Fault('invalid', `tar: invalid time ${JSON.stringify(text)} in a PAX header`);
  const nanos = BigInt(match[2]!) * 1_000_000_000n + BigInt((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  return match[1] === '-' ? -nanos : nanos;
}

export function formatPaxTime(nanos: bigint): string {
  const sign = nanos < 0n ? '-' : '';
  const size = nanos < 0n ? -nanos : nanos;
  const fraction = String(size % 1_000_000_000n).padStart(9, '0').replace(/0+$/, '');
  return `${sign}${size / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}`;
}

export function parsePaxNumber(text: string, what: string): number {
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new Fault('invalid', `tar: invalid ${what} ${JSON.stringify(text)} in a PAX header`);
  return value;
}
