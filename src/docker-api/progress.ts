/** Progress streams: one JSON object a line, flushed as it comes. */
import type { JsonMessage } from '#api/docker/common.ts';
import { drained } from '#lib/drained.ts';
import { isFault } from '#lib/errors.ts';
import type { Emit } from '#api/docker/calls.ts';
import type { Call } from './call.ts';
import { goJson } from './call.ts';
import { statusOf } from './errors.ts';

/** Bytes that a client may leave unread of a progress stream; with more, lines are left out until it reads again. */
const unreadBytes = 8 << 20;

/** What may be left out: the rest says how it ended. */
function isChatter(message: JsonMessage): boolean {
  return message.stream !== undefined || message.progressDetail !== undefined || message.status !== undefined;
}

/**
 * Runs `work`, answering 200 at its first line. A failure before that is thrown, for the HTTP status; one after it
 * becomes an `errorDetail` line.
 */
export async function sendProgress(call: Call, work: (emit: Emit, signal: AbortSignal) => Promise<void>): Promise<void> {
  const response = call.response;
  let begun = false;
  let leftOut = 0;
  const write = (message: JsonMessage): void => {
    if (!begun) {
      begun = true;
      response.writeHead(200, { 'Content-Type': 'application/json' });
    }
    if (response.destroyed) return;
    if (response.writableLength > unreadBytes && isChatter(message)) {
      leftOut++;
      return;
    }
    if (leftOut > 0) response.write(goJson({ stream: `[${leftOut} pieces of output left out: the client did not read them in time]\n` }));
    leftOut = 0;
    response.write(goJson(message));
  };
  try {
    await work(write, call.signal);
  } catch (error) {
    if (!begun && !isFault(error, 'canceled')) throw error;
    const { message, code } = statusOf(error);
    write({ errorDetail: { ...(code === undefined ? {} : { code }), message }, error: message });
  }
  if (!begun) response.writeHead(200, { 'Content-Type': 'application/json' });
  response.end();
}

/** One JSON object a line of an endless source, headers first. */
export async function sendJsonLines(call: Call, lines: AsyncIterable<unknown>, contentType = 'application/json'): Promise<void> {
  const response = call.response;
  response.writeHead(200, { 'Content-Type': contentType });
  response.flushHeaders();
  try {
    for await (const line of lines) {
      if (response.destroyed) break;
      if (!response.write(goJson(line))) await drained(response);
    }
  } catch (error) {
    if (!call.signal.aborted) {
      const { message } = statusOf(error);
      response.write(goJson({ errorDetail: { message }, error: message }));
    }
  }
  response.end();
}

/** Bytes that are gathered before they are written. */
const batchBytes = 64 * 1024;

/** Gathers small pieces, so that a million lines are not a million writes; what is gathered goes out in the same turn of the loop. */
export class BatchedBody {
  readonly #call: Call;
  #pieces: Uint8Array[] = [];
  #size = 0;
  #scheduled = false;

  constructor(call: Call) {
    this.#call = call;
  }

  /** Waits where the client does not take more. */
  async write(piece: Uint8Array): Promise<void> {
    this.#pieces.push(piece);
    this.#size += piece.length;
    const { response } = this.#call;
    if (this.#size >= batchBytes) this.#flush();
    if (response.writableNeedDrain && !response.destroyed) {
      await drained(response);
      this.#flush();
    } else if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => {
        this.#scheduled = false;
        this.#flush();
      });
    }
  }

  end(): void {
    this.#flush();
    this.#call.response.end();
  }

  #flush(): void {
    if (this.#pieces.length === 0 || this.#call.response.destroyed) return;
    const whole = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#size = 0;
    this.#call.response.write(whole);
  }
}
