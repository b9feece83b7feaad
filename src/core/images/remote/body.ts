import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';

export const bodyLimits = {
  /** Milliseconds without a byte after which a transfer counts as broken. */
  idleMs: 60_000,
  /** Milliseconds for a whole document (a manifest, an error, a token), however it trickles. */
  documentMs: 60_000,
} as const;

/** A whole small body; over `limitBytes`: `too-large`. */
export async function readBody(response: Response, limitBytes: number, clock: Clock): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of piecesOf(response, clock, bodyLimits.documentMs)) {
    length += chunk.length;
    if (length > limitBytes) throw new Fault('too-large', `the answer of ${hostOf(response)} is over the limit of ${limitBytes} bytes`);
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

/** The body in pieces; leaving early ends the transfer. A connection that breaks or stands still is `unavailable`. */
export async function* piecesOf(response: Response, clock: Clock, wholeMs?: number): AsyncGenerator<Uint8Array, void> {
  const reader = response.body?.getReader();
  if (!reader) return;
  let late = false;
  const limit = (ms: number): { cancel(): void } => clock.after(ms, () => {
    late = true;
    void reader.cancel().catch(() => {});
  });
  const whole = wholeMs === undefined ? undefined : limit(wholeMs);
  try {
    for (;;) {
      const idle = limit(bodyLimits.idleMs);
      const { done, value } = await reader.read().finally(() => idle.cancel());
      if (late) throw new Fault('unavailable', `${hostOf(response)} sends too slowly: ${wholeMs === undefined ? `nothing came for ${bodyLimits.idleMs / 1000} s` : `its answer took longer than ${wholeMs / 1000} s`}`);
      if (done) return;
      yield value as Uint8Array;
    }
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault('unavailable', `the transfer from ${hostOf(response)} broke off`, { cause: error });
  } finally {
    whole?.cancel();
    await reader.cancel().catch(() => {});
  }
}

function hostOf(response: Response): string {
  return new URL(response.url).host;
}
