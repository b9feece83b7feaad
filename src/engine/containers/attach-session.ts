/**
 * One client connected to a container's main process. It may come before the run: the client's first write then waits
 * for `connect`. `finish` ends a session that never met a run.
 */
import type { Streams } from '#core/containers/types.ts';
import { deferred } from '#lib/async.ts';
import type { Fault } from '#lib/errors.ts';
import { DetachKeys } from './detach-keys.ts';

export interface AttachSessionOptions {
  stdin: boolean;
  tty: boolean;
  /** Output that the client did not ask for is dropped; absent: all of it is wanted. */
  wants?: { stdout: boolean; stderr: boolean };
  /** '' is the default. */
  detachKeys: string;
  /** Told when the client went away by its detach keys. */
  onDetach(): void;
  onClose(): void;
}

type Output = (stream: 'stdout' | 'stderr', data: Uint8Array) => void;

/** Gives what a container printed and prints, until it has `ended`. */
export type ReadLog = (follow: { ended: Promise<unknown>; signal: AbortSignal }) => AsyncIterable<{ stream: 'stdout' | 'stderr'; data: Uint8Array }>;

export class AttachSession {
  readonly #options: AttachSessionOptions;
  readonly #connected = deferred<Streams | undefined>();
  readonly #keys: DetachKeys | undefined;
  #streams: Streams | undefined;
  #output: Output | undefined;
  #early: Parameters<Output>[] = [];
  #end: ((cause?: Fault) => void) | undefined;
  #ended = false;
  #cause: Fault | undefined;
  #paused = false;
  /** The output comes from the log; `over` is the end of the run. */
  #log: { over: () => void; gone: AbortController } | undefined;
  #wake: (() => void)[] = [];
  #input: Promise<void> = Promise.resolve();

  constructor(options: AttachSessionOptions) {
    this.#options = options;
    this.#keys = options.tty && options.stdin ? new DetachKeys(options.detachKeys) : undefined;
  }

  get isConnected(): boolean {
    return this.#streams !== undefined;
  }

  /** Joins the session to a run. */
  connect(streams: Streams): void {
    if (this.#ended) {
      streams.close();
      return;
    }
    this.#streams = streams;
    if (this.#log) streams.onOutput(() => {});
    else if (this.#paused) streams.pause();
    this.#listen();
    streams.onEnd((cause) => this.finish(cause));
    this.#connected.resolve(streams);
  }

  #listen(): void {
    if (this.#output && !this.#log) this.#streams?.onOutput((stream, data) => this.deliver(stream, data));
  }

  /** Output for the client; kept until it listens. */
  deliver(stream: 'stdout' | 'stderr', data: Uint8Array): void {
    if (this.#ended || this.#options.wants?.[stream] === false) return;
    if (this.#output) this.#output(stream, data);
    else this.#early.push([stream, data]);
  }

  /**
   * Shows a log, as fast as the client takes it, in the place of the process's own output: so nothing is shown twice or left out
   * between what was printed before and what comes. With it the session ends.
   */
  async show(read: ReadLog): Promise<void> {
    const over = deferred<void>();
    const gone = new AbortController();
    this.#log = { over: () => over.resolve(), gone };
    try {
      for await (const { stream, data } of read({ ended: over.promise, signal: gone.signal })) {
        while ((this.#paused || !this.#output) && !this.#ended) await new Promise<void>((resolve) => this.#wake.push(resolve));
        if (this.#ended) return;
        this.deliver(stream, data);
      }
    } finally {
      this.#finish(undefined);
      this.#streams?.close();
    }
  }

  /** No output will come any more. With a cause there would have been more. */
  finish(cause?: Fault): void {
    if (this.#log) this.#log.over();
    else this.#finish(cause);
  }

  #finish(cause: Fault | undefined): void {
    if (!this.#over()) return;
    this.#cause = cause;
    if (this.#output) this.#end?.(cause);
  }

  /** False where it was over before. */
  #over(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#log?.gone.abort();
    for (const wake of this.#wake.splice(0)) wake();
    this.#connected.resolve(undefined);
    this.#options.onClose();
    return true;
  }

  onOutput(handler: Output): void {
    this.#output = handler;
    for (const [stream, data] of this.#early.splice(0)) handler(stream, data);
    for (const wake of this.#wake.splice(0)) wake();
    this.#listen();
  }

  onEnd(handler: (cause?: Fault) => void): void {
    this.#end = handler;
    if (this.#ended) handler(this.#cause);
  }

  /** In order; waits for the run, and for the process to take it. */
  write(data: Uint8Array): Promise<void> {
    const written = this.#input.then(() => this.#write(data));
    this.#input = written.catch(() => {});
    return written;
  }

  async #write(data: Uint8Array): Promise<void> {
    if (!this.#options.stdin || this.#ended) return;
    const { forward, detached } = this.#keys?.feed(data) ?? { forward: data, detached: false };
    const streams = this.#streams ?? (await this.#connected.promise);
    if (streams && forward.length > 0) await streams.write(forward);
    if (!detached) return;
    this.#options.onDetach();
    this.#finish(undefined);
    this.#streams?.close();
  }

  /** After all that was written. */
  endInput(): void {
    if (!this.#options.stdin) return;
    void this.#input.then(async () => (this.#streams ?? (await this.#connected.promise))?.endInput());
  }

  pause(): void {
    this.#paused = true;
    if (!this.#log) this.#streams?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#streams?.resume();
    for (const wake of this.#wake.splice(0)) wake();
  }

  /** The client went away, and with it its input; the process stays. */
  close(): void {
    if (!this.#over()) return;
    if (this.#streams) this.endInput();
    this.#streams?.close();
  }
}
