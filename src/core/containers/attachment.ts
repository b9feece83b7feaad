/** One client of a container's main process: what was printed and not yet taken by it. */
import type { Timer } from '#lib/clock.ts';
import type { Fault } from '#lib/errors.ts';
import type { Streams } from './types.ts';

/** Bytes behind at which the process waits for the client; dockerd's own. The pieces are shared by all clients. */
export const clientBehindBytes = 1_000_000;
/** What a piece costs beside its bytes. */
const pieceBytes = 256;

export interface Piece {
  stream: 'stdout' | 'stderr';
  data: Buffer;
}

/** What a client tells the others by (`attachments.ts`). */
export interface Others {
  /** It is `clientBehindBytes` behind; it took some of that; it has taken all. */
  filled(client: Attachment): void;
  took(client: Attachment): void;
  emptied(client: Attachment): void;
  /** To the process. */
  write(data: Uint8Array): Promise<void>;
  endInput(client: Attachment): void;
  /** It goes. */
  leave(client: Attachment): void;
}

export class Attachment implements Streams {
  readonly #all: Others;
  /** Runs while the client takes nothing, and is waited for. */
  stalled: Timer | undefined;
  #pieces: Piece[] = [];
  #bytes = 0;
  #isFull = false;
  #output: ((stream: 'stdout' | 'stderr', data: Buffer) => void) | undefined;
  #end: ((cause?: Fault) => void) | undefined;
  #paused = false;
  #giving = false;
  #state: 'open' | 'ending' | 'ended' = 'open';
  #cause: Fault | undefined;

  constructor(all: Others) {
    this.#all = all;
  }

  onOutput(handler: (stream: 'stdout' | 'stderr', data: Buffer) => void): void {
    this.#output = handler;
    this.#give();
  }

  onEnd(handler: (cause?: Fault) => void): void {
    this.#end = handler;
    if (this.#state === 'ended') handler(this.#cause);
  }

  take(piece: Piece): void {
    if (this.#state !== 'open') return;
    this.#pieces.push(piece);
    this.#bytes += piece.data.length + pieceBytes;
    this.#give();
    if (this.#bytes < clientBehindBytes || this.#isFull) return;
    this.#isFull = true;
    this.#all.filled(this);
  }

  #give(): void {
    if (this.#giving) return;
    this.#giving = true;
    let given = 0;
    while (this.#output && !this.#paused && given < this.#pieces.length) {
      const { stream, data } = this.#pieces[given++]!;
      this.#bytes -= data.length + pieceBytes;
      this.#output(stream, data);
    }
    this.#pieces.splice(0, given);
    this.#giving = false;
    if (this.#isFull && given > 0) {
      this.#isFull = this.#bytes >= clientBehindBytes;
      if (this.#isFull) this.#all.took(this);
      else this.#all.emptied(this);
    }
    if (this.#state === 'ending' && this.#output && this.#pieces.length === 0) this.#over();
  }

  #over(): void {
    this.#state = 'ended';
    this.#end?.(this.#cause);
  }

  /** No more will come. With a cause the client is not waited for. */
  finish(cause?: Fault): void {
    if (this.#state !== 'open') return;
    this.#state = 'ending';
    if (cause) {
      this.#cause = cause;
      this.#pieces = [];
      this.#over();
    } else this.#give();
  }

  write(data: Uint8Array): Promise<void> {
    return this.#all.write(data);
  }

  endInput(): void {
    this.#all.endInput(this);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#give();
  }

  close(): void {
    this.#pieces = [];
    if (this.#state !== 'ended') this.#over();
    this.#all.leave(this);
  }
}
