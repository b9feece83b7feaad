/**
 * One client connected to a container's main process. It may come before the run: the client's first write then waits
 * for `connect`. `finish` ends a session that never met a run.
 */
import type { Streams } from '#core/containers/types.ts';
import { deferred } from '#lib/async.ts';
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

export class AttachSession {
  readonly #options: AttachSessionOptions;
  readonly #connected = deferred<Streams | undefined>();
  readonly #keys: DetachKeys | undefined;
  #streams: Streams | undefined;
  #output: Output | undefined;
  #early: Parameters<Output>[] = [];
  #end: (() => void) | undefined;
  #ended = false;
  #paused = false;
  /** History is shown first: live output waits. */
  #held = false;
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
    if (this.#paused || this.#held) streams.pause();
    streams.onOutput((stream, data) => this.deliver(stream, data));
    streams.onEnd(() => this.finish());
    this.#connected.resolve(streams);
  }

  /** Output for the client; kept until it listens. */
  deliver(stream: 'stdout' | 'stderr', data: Uint8Array): void {
    if (this.#ended || this.#options.wants?.[stream] === false) return;
    if (this.#output) this.#output(stream, data);
    else this.#early.push([stream, data]);
  }

  /** Shows what was printed before, as fast as the client takes it, then lets live output follow. */
  async replay(entries: AsyncIterable<{ stream: 'stdout' | 'stderr'; data: Uint8Array }>): Promise<void> {
    try {
      for await (const { stream, data } of entries) {
        while ((this.#paused || !this.#output) && !this.#ended) await new Promise<void>((resolve) => this.#wake.push(resolve));
        if (this.#ended) return;
        this.deliver(stream, data);
      }
    } finally {
      this.#held = false;
      if (!this.#paused) this.#streams?.resume();
    }
  }

  /** Live output waits until `replay` is through. */
  hold(): void {
    this.#held = true;
    this.#streams?.pause();
  }

  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  /** No output will come any more. */
  finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#wakeAll();
    this.#connected.resolve(undefined);
    this.#options.onClose();
    if (this.#output) this.#end?.();
  }

  onOutput(handler: Output): void {
    this.#output = handler;
    for (const [stream, data] of this.#early.splice(0)) handler(stream, data);
    this.#wakeAll();
  }

  onEnd(handler: () => void): void {
    this.#end = handler;
    if (this.#ended) handler();
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
    this.finish();
    this.#streams?.close();
  }

  /** After all that was written. */
  endInput(): void {
    if (!this.#options.stdin) return;
    void this.#input.then(async () => (this.#streams ?? (await this.#connected.promise))?.endInput());
  }

  pause(): void {
    this.#paused = true;
    this.#streams?.pause();
  }

  resume(): void {
    this.#paused = false;
    if (!this.#held) this.#streams?.resume();
    this.#wakeAll();
  }

  /** The client went away; the process stays. */
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#wakeAll();
    this.#connected.resolve(undefined);
    this.#streams?.close();
    this.#options.onClose();
  }
}
