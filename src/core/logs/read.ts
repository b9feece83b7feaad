/** Reads k8s-file logs, from any end, and follows them. */
import { watch } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { codeOf } from '#lib/errors.ts';
import { LineJoiner } from './join.ts';
import { parseLine } from './parse.ts';
import { tailOffset } from './tail.ts';
import type { LogEntry, LogOptions, Logs } from './types.ts';

const blockSize = 64 * 1024;
/** A record longer than this is no record of conmon's and is dropped, in bytes. */
const recordLimit = 1024 * 1024;

export function createLogs(): Logs {
  return { read };
}

async function* read(path: string, options: LogOptions): AsyncGenerator<LogEntry> {
  const file = await openOptional(path);
  if (!file) return;
  const bell = options.follow ? ringOnChange(path, options.follow) : undefined;
  try {
    const joiner = new LineJoiner();
    // Without following it is what was there at the beginning, however fast more is written.
    const { size } = await file.stat();
    const source = new LineSource(file, options.tail === undefined ? 0 : await tailOffset(file, options.tail, size), bell ? Infinity : size);
    for (;;) {
      // Asked before reading: what was written before the end is read below.
      const over = !bell || bell.ended;
      for (let lines = await source.next(); lines; lines = await source.next()) {
        for (const line of lines) {
          const record = parseLine(line);
          for (const entry of record ? joiner.add(record) : []) {
            if (options.until !== undefined && entry.time > options.until) return;
            if (wanted(entry, options)) yield entry;
          }
        }
        if (options.follow?.signal.aborted) return;
      }
      if (options.follow?.signal.aborted) return;
      if (over) break;
      await bell.next();
    }
    yield* joiner.flush().filter((entry) => wanted(entry, options) && (options.until === undefined || entry.time <= options.until));
  } finally {
    bell?.close();
    await file.close();
  }
}

function wanted(entry: LogEntry, options: LogOptions): boolean {
  if (options.since !== undefined && entry.time < options.since) return false;
  return (entry.stream === 'stdout' ? options.stdout : options.stderr) ?? true;
}

async function openOptional(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whole lines from a position on. */
class LineSource {
  readonly #file: FileHandle;
  readonly #buffer = Buffer.alloc(blockSize);
  readonly #end: number;
  #position: number;
  #rest: Buffer = Buffer.alloc(0);

  constructor(file: FileHandle, position: number, end: number) {
    this.#file = file;
    this.#end = end;
    this.#position = position;
  }

  /** The next lines without their newlines; undefined where the file ends for now. */
  async next(): Promise<Buffer[] | undefined> {
    const { bytesRead } = await this.#file.read(this.#buffer, 0, Math.min(blockSize, this.#end - this.#position), this.#position);
    if (bytesRead === 0) return undefined;
    this.#position += bytesRead;
    const data = Buffer.concat([this.#rest, this.#buffer.subarray(0, bytesRead)]);
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = data.indexOf(0x0a); end >= 0; end = data.indexOf(0x0a, start)) {
      lines.push(data.subarray(start, end));
      start = end + 1;
    }
    this.#rest = data.subarray(start);
    if (this.#rest.length > recordLimit) this.#rest = Buffer.alloc(0);
    return lines;
  }
}

interface Bell {
  /** Whether the container has ended: no more will be written. */
  readonly ended: boolean;
  /** Resolves at the next change since the last call, at the end, or when aborted. */
  next(): Promise<void>;
  close(): void;
}

function ringOnChange(path: string, follow: NonNullable<LogOptions['follow']>): Bell {
  let rung = false;
  let ended = false;
  let wake = (): void => {};
  const ring = (): void => {
    rung = true;
    wake();
  };
  const end = (): void => {
    ended = true;
    ring();
  };
  const watcher = watch(path, { persistent: false }, ring).on('error', end);
  follow.ended.then(end, end);
  follow.signal.addEventListener('abort', ring, { once: true });
  return {
    get ended() {
      return ended;
    },
    async next() {
      if (!rung) await new Promise<void>((resolve) => (wake = resolve));
      rung = false;
    },
    close() {
      watcher.close();
      follow.signal.removeEventListener('abort', ring);
    },
  };
}
