import { Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { Fault, messageOf } from '../errors.ts';

export type Compression = 'none' | 'gzip' | 'zstd';

const magics: readonly { bytes: number[]; name: string; format?: Compression }[] = [
  { bytes: [0x1f, 0x8b], name: 'gzip', format: 'gzip' },
  { bytes: [0x28, 0xb5, 0x2f, 0xfd], name: 'zstd', format: 'zstd' },
  { bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], name: 'xz' },
  { bytes: [0x42, 0x5a, 0x68], name: 'bzip2' },
];
const sniffBytes = 10;
const pieceBytes = 256 * 1024;

/** Which compression `head` (the first 10 bytes or more) shows; xz and bzip2 are refused by name. */
export function sniffCompression(head: Uint8Array): Compression {
  // A zstd stream may begin with a skippable frame, of one of sixteen magic numbers.
  if (head.length >= 4 && (head[0]! & 0xf0) === 0x50 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18) return 'zstd';
  const found = magics.find((magic) => magic.bytes.every((byte, i) => head[i] === byte));
  if (found && !found.format) {
    throw new Fault('not-implemented', `${found.name} compression is not supported; compress with gzip or zstd`);
  }
  return found?.format ?? 'none';
}

/** The plain bytes of `source`, whatever compression its content shows. Damaged data is `invalid`. */
export async function* decompress(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void> {
  const { head, rest } = await peek(source);
  const format = sniffCompression(head);
  if (format === 'none') {
    for await (const chunk of rest) yield asBuffer(chunk);
    return;
  }
  const decoder = format === 'gzip' ? createGunzip({ chunkSize: pieceBytes }) : createZstdDecompress({ chunkSize: pieceBytes });
  const input = Readable.from(rest, { objectMode: false, highWaterMark: pieceBytes });
  // The source's failure goes through the decoder, so that the reader sees it.
  input.on('error', (error) => decoder.destroy(error));
  input.pipe(decoder);
  try {
    for await (const chunk of decoder) yield chunk as Buffer;
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault('invalid', `damaged ${format} data: ${messageOf(error)}`, { cause: error });
  } finally {
    input.destroy();
    decoder.destroy();
  }
}

async function peek(source: AsyncIterable<Uint8Array>): Promise<{ head: Buffer; rest: AsyncGenerator<Buffer, void> }> {
  const iterator = source[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  let ended = false;
  while (head.length < sniffBytes && !ended) {
    const next = await iterator.next();
    if (next.done) ended = true;
    else head = head.length === 0 ? asBuffer(next.value) : Buffer.concat([head, next.value]);
  }
  async function* rest(): AsyncGenerator<Buffer, void> {
    try {
      if (head.length > 0) yield head;
      while (!ended) {
        const next = await iterator.next();
        if (next.done) return;
        yield asBuffer(next.value);
      }
    } finally {
      await iterator.return?.();
    }
  }
  return { head, rest: rest() };
}

function asBuffer(bytes: Uint8Array): Buffer<ArrayBuffer> {
  return Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
}
