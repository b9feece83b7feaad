/** The streams of a process over its pipes. Until somebody asks for output, or goes, it stays in them. */
import type { Readable, Writable } from 'node:stream';
import { deferred } from '#lib/async.ts';
import type { Streams } from './types.ts';

export type Output = 'stdout' | 'stderr';

export class PipeStreams implements Streams {
  readonly #stdin: Writable | null;
  readonly #outputs: Readonly<Record<Output, Readable>>;
  readonly #ended = deferred<void>();
  readonly #bothClosed: Promise<unknown>;
  #paused = false;
  #asked = false;
  /** When output flows again. */
  #flowing = deferred<void>();

  constructor(stdin: Writable | null, outputs: Readonly<Record<Output, Readable>>) {
    this.#stdin = stdin;
    this.#outputs = outputs;
    // a process need not read its input
    stdin?.on('error', () => {});
    const closed = (stream: Readable): Promise<void> => new Promise((resolve) => stream.once('close', resolve).on('error', () => {}));
    this.#bothClosed = Promise.all(Object.values(outputs).map(closed));
  }

  onOutput(handler: (stream: Output, data: Buffer) => void): void {
    for (const [name, stream] of Object.entries(this.#outputs)) {
      stream.removeAllListeners('data').on('data', (data: Buffer) => handler(name as Output, data));
    }
    this.#asked = true;
    if (!this.#paused) this.resume();
  }

  onEnd(handler: () => void): void {
    void this.#ended.promise.then(handler);
  }

  write(data: Uint8Array): Promise<void> {
    const stdin = this.#stdin;
    if (!stdin?.writable) return Promise.resolve();
    return new Promise((resolve) => stdin.write(data, () => resolve()));
  }

  endInput(): void {
    this.#stdin?.end();
  }

  pause(): void {
    this.#paused = true;
    for (const stream of Object.values(this.#outputs)) stream.pause();
  }

  resume(): void {
    this.#paused = false;
    if (!this.#asked) return;
    for (const stream of Object.values(this.#outputs)) stream.resume();
    this.#flowing.resolve();
    this.#flowing = deferred<void>();
  }

  /** The process goes on: what it writes is dropped, and its input ends. */
  close(): void {
    this.endInput();
    this.onOutput(() => {});
    this.resume();
  }

  /**
   * After the process's end: resolves when what it wrote was given. A process that it has left behind may hold the pipes open:
   * what that one writes is not waited for, and two turns of the event loop read all that was in the pipes before.
   */
  async drain(): Promise<void> {
    for (let turns = 0; turns < 2; turns++) {
      await Promise.race([this.#bothClosed, turn()]);
      if (this.#asked && !this.#paused) continue;
      await this.#flowing.promise;
      turns = -1;
    }
    for (const stream of [this.#stdin, ...Object.values(this.#outputs)]) stream?.destroy();
    this.#ended.resolve();
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
