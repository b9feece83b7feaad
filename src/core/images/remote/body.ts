import { Fault } from '#lib/errors.ts';

/** A whole small body; over `limitBytes`: `too-large`. */
export async function readBody(response: Response, limitBytes: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of piecesOf(response)) {
    length += chunk.length;
    if (length > limitBytes) throw new Fault('too-large', `the answer of ${new URL(response.url).host} is over the limit of ${limitBytes} bytes`);
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

/** The body in pieces; leaving early ends the transfer. A connection that breaks is `unavailable`. */
export async function* piecesOf(response: Response): AsyncGenerator<Uint8Array, void> {
  if (!response.body) return;
  try {
    for await (const chunk of response.body) yield chunk as Uint8Array;
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault('unavailable', `the transfer from ${new URL(response.url).host} broke off`, { cause: error });
  }
}
