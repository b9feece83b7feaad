/** The protobuf wire format: varints, fixed-size numbers and length-delimited bytes. */
import { Fault } from '#lib/errors.ts';

/** What an object's envelope begins with. */
export const envelopeMagic = Uint8Array.of(0x6b, 0x38, 0x73, 0x00);

export function isEnvelope(bytes: Uint8Array): boolean {
  return envelopeMagic.every((byte, index) => bytes[index] === byte);
}

export const wireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

const decoder = new TextDecoder();
const encoder = new TextEncoder();

function truncated(): Fault {
  return new Fault('invalid', 'the protobuf body ends in the middle of a field');
}

export class WireReader {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** The next field's number and wire type. */
  tag(): { number: number; type: number } {
    const tag = Number(BigInt.asUintN(64, this.#varint()));
    const number = Math.floor(tag / 8);
    if (number === 0) throw new Fault('invalid', 'the protobuf body has a field with number 0');
    return { number, type: tag % 8 };
  }

  /** A signed 64-bit number; beyond 2^53 the last digits are lost, as in JSON. */
  int(): number {
    const first = this.#bytes[this.#at];
    if (first !== undefined && first < 0x80) {
      this.#at += 1;
      return first;
    }
    return Number(BigInt.asIntN(64, this.#varint()));
  }

  double(): number {
    this.#need(8);
    this.#at += 8;
    return this.#view.getFloat64(this.#at - 8, true);
  }

  bytes(): Uint8Array {
    const length = this.int();
    if (length < 0) throw truncated();
    this.#need(length);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  text(): string {
    return decoder.decode(this.bytes());
  }

  skip(type: number): void {
    if (type === wireType.varint) this.#varint();
    else if (type === wireType.bytes) this.bytes();
    else if (type === wireType.fixed64 || type === wireType.fixed32) {
      const size = type === wireType.fixed64 ? 8 : 4;
      this.#need(size);
      this.#at += size;
    } else throw new Fault('invalid', `the protobuf body has a field of wire type ${type}, which is not used`);
  }

  #need(length: number): void {
    if (this.#at + length > this.#bytes.length) throw truncated();
  }

  #varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw truncated();
      this.#at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new Fault('invalid', 'the protobuf body has a number of more than 10 bytes');
  }
}

export class WireWriter {
  #bytes = new Uint8Array(256);
  #at = 0;

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  int(number: number, value: number): void {
    this.#tag(number, wireType.varint);
    this.#varint(value);
  }

  double(number: number, value: number): void {
    this.#tag(number, wireType.fixed64);
    this.#grow(8);
    new DataView(this.#bytes.buffer).setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  bytes(number: number, value: Uint8Array): void {
    this.#tag(number, wireType.bytes);
    this.#varint(value.length);
    this.#grow(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  text(number: number, value: string): void {
    this.bytes(number, encoder.encode(value));
  }

  #tag(number: number, type: number): void {
    this.#varint(number * 8 + type);
  }

  #varint(value: number): void {
    this.#grow(10);
    if (value >= 0 && value < 0x80) {
      this.#bytes[this.#at++] = value;
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(Math.trunc(value)));
    while (rest >= 0x80n) {
      this.#bytes[this.#at++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#at++] = Number(rest);
  }

  #grow(length: number): void {
    if (this.#at + length <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + length));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}
