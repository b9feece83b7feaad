/** Progress streams: one JSON object a line, flushed as it comes. */
import type { JsonMessage } from '#api/docker/common.ts';
import { isFault } from '#lib/errors.ts';
import type { Emit } from '#api/docker/calls.ts';
import type { Call } from './call.ts';
import { goJson } from './call.ts';
import { statusOf } from './errors.ts';

/**
 * Runs `work`, answering 200 at its first line. A failure before that is thrown, for the HTTP status; one after it
 * becomes an `errorDetail` line.
 */
export async function sendProgress(call: Call, work: (emit: Emit, signal: AbortSignal) => Promise<void>): Promise<void> {
  const response = call.response;
  let begun = false;
  const write = (message: JsonMessage): void => {
    if (!begun) {
      begun = true;
      response.writeHead(200, { 'Content-Type': 'application/json' });
    }
    if (!response.destroyed) response.write(goJson(message));
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
      if (!response.write(goJson(line))) await drained(call);
    }
  } catch (error) {
    if (!call.signal.aborted) {
      const { message } = statusOf(error);
      response.write(goJson({ errorDetail: { message }, error: message }));
    }
  }
  response.end();
}

/** Resolves when the answer takes more, or the client is gone. */
export function drained(call: Call): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      call.response.off('drain', done);
      call.response.off('close', done);
      resolve();
    };
    call.response.on('drain', done);
    call.response.on('close', done);
  });
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
    if (this.#size >= batchBytes) {
      if (!this.#flush()) await drained(this.#call);
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

  #flush(): boolean {
    if (this.#pieces.length === 0 || this.#call.response.destroyed) return true;
    const whole = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#size = 0;
    return this.#call.response.write(whole);
  }
}
