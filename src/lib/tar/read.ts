import { Fault } from '../errors.ts';
import { TarDecoder } from './decode.ts';
import type { TarEvent } from './decode.ts';
import type { TarEntry } from './types.ts';

/** One member while reading: its body can be read once, before the next member is asked for. */
export interface TarMember {
  entry: TarEntry;
  /** The body in pieces; what is left unread is skipped. */
  body(): AsyncIterable<Buffer>;
  /** The whole body; over `limitBytes`: `too-large`. */
  read(limitBytes: number): Promise<Buffer>;
}

/** Reads an archive member by member. Ends after the last, having drained `source`. */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarMember, void> {
  const events = eventsOf(source);
  try {
    for (;;) {
      const { value: event, done } = await events.next();
      if (done) return;
      if (!('entry' in event)) continue;
      yield member(event.entry, events);
    }
  } finally {
    await events.return(undefined);
  }
}

async function* eventsOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarEvent, void> {
  const decoder = new TarDecoder();
  for await (const chunk of source) yield* decoder.push(chunk);
  decoder.finish();
}

function member(entry: TarEntry, events: AsyncGenerator<TarEvent, void>): TarMember {
  async function* body(): AsyncGenerator<Buffer> {
    for (;;) {
      const { value: event, done } = await events.next();
      if (done || 'end' in event) return;
      if ('data' in event) yield event.data;
    }
  }
  return {
    entry,
    body,
    async read(limitBytes) {
      if (entry.size > limitBytes) {
        throw new Fault('too-large', `tar: ${JSON.stringify(entry.name)} has ${entry.size} bytes, over the limit of ${limitBytes}`);
      }
      const parts: Buffer[] = [];
      for await (const piece of body()) parts.push(Buffer.from(piece));
      return Buffer.concat(parts);
    },
  };
}
