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
  #inputEnded = false;

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
    if (this.#paused) streams.pause();
    streams.onOutput((stream, data) => this.deliver(stream, data));
    streams.onEnd(() => this.finish());
    this.#connected.resolve(streams);
    if (this.#inputEnded) streams.endInput();
  }

  /** Output for the client; kept until it listens. */
  deliver(stream: 'stdout' | 'stderr', data: Uint8Array): void {
    if (this.#ended) return;
    if (this.#output) this.#output(stream, data);
    else this.#early.push([stream, data]);
  }

  /** No output will come any more. */
  finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#connected.resolve(undefined);
    this.#options.onClose();
    if (this.#output) this.#end?.();
  }

  onOutput(handler: Output): void {
    this.#output = handler;
    for (const [stream, data] of this.#early.splice(0)) handler(stream, data);
  }

  onEnd(handler: () => void): void {
    this.#end = handler;
    if (this.#ended) handler();
  }

  async write(data: Uint8Array): Promise<void> {
    if (!this.#options.stdin || this.#ended) return;
    const { forward, detached } = this.#keys?.feed(data) ?? { forward: data, detached: false };
    const streams = this.#streams ?? (await this.#connected.promise);
    if (streams && forward.length > 0) await streams.write(forward);
    if (!detached) return;
    this.#options.onDetach();
    this.finish();
    this.#streams?.close();
  }

  endInput(): void {
    if (!this.#options.stdin) return;
    this.#inputEnded = true;
    this.#streams?.endInput();
  }

  pause(): void {
    this.#paused = true;
    this.#streams?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#streams?.resume();
  }

  /** The client went away; the process stays. */
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#connected.resolve(undefined);
    this.#streams?.close();
    this.#options.onClose();
  }
}
