/** SPDY/3.1 frames as bytes: eight bytes of head, then a payload. */
import { Fault } from '#lib/errors.ts';

export const frameType = { synStream: 1, synReply: 2, reset: 3, settings: 4, ping: 6, goAway: 7, headers: 8, windowUpdate: 9 } as const;

export const flagFin = 1;

/** Largest payload taken, in bytes; more ends the connection. */
export const payloadLimit = 4 * 1024 * 1024;

export type Frame =
  | { kind: 'data'; stream: number; flags: number; payload: Buffer }
  | { kind: 'control'; type: number; flags: number; payload: Buffer };

/** Cuts a byte stream into frames. */
export class FrameReader {
  #held: Buffer = Buffer.alloc(0);

  /** The frames that `chunk` completes. Too large a frame throws `too-large`, another version `invalid`. */
  add(chunk: Buffer): Frame[] {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const frames: Frame[] = [];
    let at = 0;
    while (this.#held.length - at >= 8) {
      const length = this.#held.readUIntBE(at + 5, 3);
      if (length > payloadLimit) throw new Fault('too-large', `a SPDY frame of ${length} bytes is over the limit of ${payloadLimit}`);
      if (this.#held.length - at < 8 + length) break;
      frames.push(parseFrame(this.#held, at, length));
      at += 8 + length;
    }
    this.#held = this.#held.subarray(at);
    return frames;
  }
}

function parseFrame(bytes: Buffer, at: number, length: number): Frame {
  const word = bytes.readUInt32BE(at);
  const flags = bytes[at + 4]!;
  const payload = bytes.subarray(at + 8, at + 8 + length);
  if (word >>> 31 === 0) return { kind: 'data', stream: word, flags, payload };
  const version = (word >>> 16) & 0x7fff;
  if (version !== 3) throw new Fault('invalid', `SPDY version ${version} is not supported`);
  return { kind: 'control', type: word & 0xffff, flags, payload };
}

export function controlFrame(type: number, flags: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(((0x8003 << 16) | type) >>> 0, 0);
  head.writeUInt32BE(((flags << 24) | payload.length) >>> 0, 4);
  return Buffer.concat([head, payload]);
}

export function dataFrame(stream: number, flags: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(stream, 0);
  head.writeUInt32BE(((flags << 24) | payload.length) >>> 0, 4);
  return Buffer.concat([head, payload]);
}

export function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, index) => bytes.writeUInt32BE(value >>> 0, index * 4));
  return bytes;
}
