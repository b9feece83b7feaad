import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import type { HttpAnswer } from '#lib/http-client.ts';

export const bodyLimits = {
  /** Milliseconds without a byte after which a transfer counts as broken. */
  idleMs: 60_000,
  /** Milliseconds for a whole document (a manifest, an error, a token), however it trickles. */
  documentMs: 60_000,
} as const;

/** A whole small body; over `limitBytes`: `too-large`. */
export async function readBody(answer: HttpAnswer, limitBytes: number, clock: Clock): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of piecesOf(answer, clock, bodyLimits.documentMs)) {
    length += chunk.length;
    if (length > limitBytes) throw new Fault('too-large', `the answer of ${answer.url.host} is over the limit of ${limitBytes} bytes`);
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

/** The body in pieces; leaving early ends the transfer. A connection that breaks or stands still is `unavailable`. */
export async function* piecesOf(answer: HttpAnswer, clock: Clock, wholeMs?: number): AsyncGenerator<Uint8Array, void> {
  let late = false;
  const limit = (ms: number): { cancel(): void } => clock.after(ms, () => {
    late = true;
    answer.destroy();
  });
  const whole = wholeMs === undefined ? undefined : limit(wholeMs);
  let idle = limit(bodyLimits.idleMs);
  try {
    for await (const chunk of answer.body) {
      idle.cancel();
      yield chunk;
      idle = limit(bodyLimits.idleMs);
    }
  } catch (error) {
    if (!late && error instanceof Fault) throw error;
    if (!late) throw new Fault('unavailable', `the transfer from ${answer.url.host} broke off`, { cause: error });
  } finally {
    whole?.cancel();
    idle.cancel();
  }
  if (late) throw new Fault('unavailable', `${answer.url.host} sends too slowly: ${wholeMs === undefined ? `nothing came for ${bodyLimits.idleMs / 1000} s` : `its answer took longer than ${wholeMs / 1000} s`}`);
}
