/** Takes apart what the engine streams: frames of output, and lines of JSON. */
import { Fault } from '#lib/errors.ts';
import type { Output } from './types.ts';

const headerBytes = 8;
/** Bytes of one frame, and of one line. */
const pieceLimit = 64 * 1024 * 1024;

/** The multiplexed stream of attach, logs and exec without a terminal. */
export async function* readFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<Output> {
  let held = Buffer.alloc(0);
  for await (const chunk of source) {
    held = held.length === 0 ? Buffer.from(chunk) : Buffer.concat([held, chunk]);
    for (;;) {
      if (held.length < headerBytes) break;
      const length = held.readUInt32BE(4);
      if (length > pieceLimit) throw new Fault('too-large', `the engine sent a frame of ${length} bytes; the limit is ${pieceLimit}`);
      if (held.length < headerBytes + length) break;
      yield { stream: held[0] === 2 ? 'stderr' : 'stdout', data: Buffer.from(held.subarray(headerBytes, headerBytes + length)) };
      held = held.subarray(headerBytes + length);
    }
  }
}

/** One JSON value a line. */
export async function* readLines<T>(source: AsyncIterable<Uint8Array>): AsyncGenerator<T> {
  let held = '';
  const decoder = new TextDecoder();
  for await (const chunk of source) {
    held += decoder.decode(chunk, { stream: true });
    if (held.length > pieceLimit) throw new Fault('too-large', `the engine sent a line of more than ${pieceLimit} bytes`);
    const lines = held.split('\n');
    held = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') yield JSON.parse(line) as T;
  }
  if (held.trim() !== '') yield JSON.parse(held) as T;
}
