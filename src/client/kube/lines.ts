import { Fault } from '#lib/errors.ts';

/** The longest line of a watch, in bytes: the largest object and what is around it. */
const lineLimitBytes = 8 * 1024 * 1024;
const newline = 0x0a;

/** The lines of a stream of bytes, as they become whole; empty ones are left out. */
export async function* lines(stream: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let parts: Uint8Array[] = [];
  let held = 0;
  for await (const chunk of stream) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      const line = Buffer.concat([...parts, chunk.subarray(start, end)]).toString();
      parts = [];
      held = 0;
      start = end + 1;
      if (line !== '') yield line;
    }
    const rest = chunk.subarray(start);
    if (rest.length === 0) continue;
    parts.push(rest);
    held += rest.length;
    if (held > lineLimitBytes) throw new Fault('too-large', `a line of the stream is longer than ${lineLimitBytes} bytes`);
  }
  if (held > 0) yield Buffer.concat(parts).toString();
}
