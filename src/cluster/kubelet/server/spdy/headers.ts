/** Header blocks: name and value pairs, compressed with one zlib context a direction for the whole connection. */
import { constants, createDeflate, createInflate } from 'node:zlib';
import type { Deflate, Inflate } from 'node:zlib';
import { Fault } from '#lib/errors.ts';
import { spdyDictionary } from './dictionary.ts';

/** Largest header block, uncompressed, in bytes. */
const blockLimit = 64 * 1024;

export type SpdyHeaders = Record<string, string>;

export class HeaderCodec {
  readonly #inflate: Inflate = createInflate({ dictionary: spdyDictionary, readableHighWaterMark: blockLimit * 2 } as object);
  readonly #deflate: Deflate = createDeflate({ dictionary: spdyDictionary, readableHighWaterMark: blockLimit * 2 } as object);

  /** Blocks must be read in the order in which they came. */
  async read(block: Buffer): Promise<SpdyHeaders> {
    return parse(await transform(this.#inflate, block));
  }

  async write(headers: SpdyHeaders): Promise<Buffer> {
    return transform(this.#deflate, format(headers));
  }

  close(): void {
    this.#inflate.close();
    this.#deflate.close();
  }
}

function transform(stream: Inflate | Deflate, input: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(new Fault('invalid', 'a SPDY header block cannot be decompressed', { cause: error }));
    stream.once('error', fail);
    stream.write(input);
    stream.flush(constants.Z_SYNC_FLUSH, () => {
      stream.off('error', fail);
      const output = (stream.read() as Buffer | null) ?? Buffer.alloc(0);
      if (output.length > blockLimit) reject(new Fault('too-large', `a SPDY header block is over the limit of ${blockLimit} bytes`));
      else resolve(output);
    });
  });
}

function parse(block: Buffer): SpdyHeaders {
  const headers: SpdyHeaders = {};
  let at = 0;
  const number = (): number => {
    if (at + 4 > block.length) throw new Fault('invalid', 'a SPDY header block is cut short');
    at += 4;
    return block.readUInt32BE(at - 4);
  };
  const text = (): string => {
    const length = number();
    if (at + length > block.length) throw new Fault('invalid', 'a SPDY header block is cut short');
    at += length;
    return block.toString('utf8', at - length, at);
  };
  for (let left = number(); left > 0; left--) {
    const name = text().toLowerCase();
    headers[name] = text();
  }
  return headers;
}

function format(headers: SpdyHeaders): Buffer {
  const entries = Object.entries(headers);
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  const text = (value: string): Buffer[] => [number(Buffer.byteLength(value)), Buffer.from(value)];
  return Buffer.concat([number(entries.length), ...entries.flatMap(([name, value]) => [...text(name.toLowerCase()), ...text(value)])]);
}
