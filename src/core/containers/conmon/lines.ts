import type { Readable } from 'node:stream';

/** Longest line of a pipe of conmon, in characters; its messages hold at most 8 KiB of the runtime's text, escaped. */
const lineLimit = 64 * 1024;

/** Reads a stream line by line, as asked. */
export class LineReader {
  #lines: string[] = [];
  #waiting: ((line: string | undefined) => void)[] = [];
  #rest = '';
  #ended = false;

  constructor(stream: Readable) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => this.#take(text));
    const end = (): void => this.#end();
    stream.on('end', end).on('close', end).on('error', end);
  }

  /** The next line, or undefined at the end of the stream. */
  next(): Promise<string | undefined> {
    const line = this.#lines.shift();
    if (line !== undefined || this.#ended) return Promise.resolve(line);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #take(text: string): void {
    const parts = (this.#rest + text).split('\n');
    this.#rest = parts.pop()!;
    // Nothing of conmon's; what waits for a line learns that none will come.
    if (this.#rest.length > lineLimit) {
      this.#rest = '';
      this.#end();
    }
    for (const line of parts) {
      const waiting = this.#waiting.shift();
      if (waiting) waiting(line);
      else this.#lines.push(line);
    }
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#rest !== '') this.#take('\n');
    for (const waiting of this.#waiting.splice(0)) waiting(this.#lines.shift());
  }
}
