/** A process that is a function: it writes, reads, hears signals, and exits. */
import { deferred } from '#lib/async.ts';
import type { Streams, TerminalSize } from './types.ts';

/** What a program is given. It ends by calling `exit`. */
export interface ProgramIo {
  args: readonly string[];
  write: (stream: 'stdout' | 'stderr', text: string | Buffer) => void;
  exit: (code: number) => void;
  onInput: (handler: (data: Buffer) => void) => void;
  onInputEnd: (handler: () => void) => void;
  /** A program that handles a signal is not ended by it; as PID 1, one that does not ignores all but SIGKILL. */
  onSignal: (handler: (signal: number) => void) => void;
  /** The process has ended: timers are to be given up. */
  ended: AbortSignal;
}

export type FakeProgram = (io: ProgramIo) => void;
export type FakePrograms = Readonly<Record<string, FakeProgram>>;

const sigkill = 9;

export class FakeProcess {
  size: TerminalSize | undefined;
  readonly exited: Promise<number>;
  readonly #program: FakeProgram;
  readonly #args: readonly string[];
  readonly #exit = deferred<number>();
  readonly #ended = new AbortController();
  readonly #outputs = new Set<(stream: 'stdout' | 'stderr', data: Buffer) => void>();
  #signal: (signal: number) => void = () => {};
  #input: (data: Buffer) => void = () => {};
  #inputEnd: () => void = () => {};

  constructor(program: FakeProgram, args: readonly string[]) {
    this.#program = program;
    this.#args = args;
    this.exited = this.#exit.promise;
  }

  run(): void {
    this.#program({
      args: this.#args,
      write: (stream, text) => {
        if (!this.#ended.signal.aborted) for (const handler of this.#outputs) handler(stream, Buffer.from(text));
      },
      exit: (code) => this.#finish(code),
      onInput: (handler) => (this.#input = handler),
      onInputEnd: (handler) => (this.#inputEnd = handler),
      onSignal: (handler) => (this.#signal = handler),
      ended: this.#ended.signal,
    });
  }

  kill(signal: number): void {
    if (signal === sigkill) this.#finish(128 + sigkill);
    else if (!this.#ended.signal.aborted) this.#signal(signal);
  }

  #finish(code: number): void {
    this.#ended.abort();
    this.#exit.resolve(code);
  }

  onOutput(handler: (stream: 'stdout' | 'stderr', data: Buffer) => void): void {
    this.#outputs.add(handler);
  }

  attach(): Streams {
    let handler: ((stream: 'stdout' | 'stderr', data: Buffer) => void) | undefined;
    const early: ['stdout' | 'stderr', Buffer][] = [];
    const take = (stream: 'stdout' | 'stderr', data: Buffer): void => {
      if (handler) handler(stream, data);
      else early.push([stream, data]);
    };
    this.#outputs.add(take);
    const gone = deferred<void>();
    return {
      onOutput: (given) => {
        handler = given;
        for (const [stream, data] of early.splice(0)) given(stream, data);
      },
      onEnd: (ended) => void Promise.race([this.exited, gone.promise]).then(() => ended()),
      write: async (data) => this.#input(Buffer.from(data)),
      endInput: () => this.#inputEnd(),
      pause: () => {},
      resume: () => {},
      close: () => {
        this.#outputs.delete(take);
        gone.resolve();
      },
    };
  }
}
