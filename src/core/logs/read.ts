/** Reads k8s-file logs, from any end and over all their files, and follows them. */
import { watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { openLog, successorOf } from './files.ts';
import type { LogFile } from './files.ts';
import { LineJoiner } from './join.ts';
import { parseLine } from './parse.ts';
import { tailStart } from './tail.ts';
import type { LogEntry, LogOptions, Logs } from './types.ts';

const blockSize = 64 * 1024;
/** A record longer than this is no record of conmon's and is dropped, in bytes. */
const recordLimit = 1024 * 1024;

export function createLogs(): Logs {
  return { read };
}

async function* read(path: string, options: LogOptions): AsyncGenerator<LogEntry> {
  const bell = options.follow ? ringOnChange(path, options.follow) : undefined;
  try {
    const joiner = new LineJoiner();
    for await (const lines of linesOf(path, options, bell)) {
      for (const line of lines) {
        const record = parseLine(line);
        for (const entry of record ? (options.pieces ? [record] : joiner.add(record)) : []) {
          if (options.until !== undefined && entry.time > options.until) return;
          if (wanted(entry, options)) yield entry;
        }
      }
    }
    if (options.follow?.signal.aborted) return;
    yield* joiner.flush().filter((entry) => wanted(entry, options) && (options.until === undefined || entry.time <= options.until));
  } finally {
    bell?.close();
  }
}

/** Lines from where the options begin, file after file; with a bell until that has ended, else of what is there now. */
async function* linesOf(path: string, options: LogOptions, bell: Bell | undefined): AsyncGenerator<Buffer[]> {
  const files = openLog(path);
  try {
    // Without following it is what was there at the beginning, however fast more is written.
    const sizes = files.map((file) => file.size());
    const start = options.tail === undefined ? { file: 0, offset: 0 } : await tailStart(files, sizes, options.tail);
    for (const file of files.splice(0, start.file)) file.close();
    for (let offset = start.offset; files.length > 0; offset = 0) {
      const end = bell ? Infinity : sizes[sizes.length - files.length]!;
      yield* linesOfFile(path, files, new LineSource(files[0]!, offset, end), bell);
      files.shift()!.close();
    }
  } finally {
    for (const file of files) file.close();
  }
}

/** The lines of the first file, to its end: that of what there is of it, or until the next file is begun, which is then added. */
async function* linesOfFile(path: string, files: LogFile[], source: LineSource, bell: Bell | undefined): AsyncGenerator<Buffer[]> {
  for (let isComplete = files.length > 1; ; ) {
    // Asked before reading: what was written before the end is read below.
    const over = !bell || bell.ended;
    for (let lines = await source.next(); lines; lines = await source.next()) {
      yield lines;
      if (bell?.aborted) return;
    }
    if (isComplete || bell?.aborted) return;
    const next = bell && successorOf(path, files[0]!);
    if (next) {
      // Its writer has let go of this one: what is left of it is all of it.
      files.push(next);
      isComplete = true;
    } else if (over) return;
    else await bell.next();
  }
}

function wanted(entry: LogEntry, options: LogOptions): boolean {
  if (options.since !== undefined && entry.time < options.since) return false;
  return (entry.stream === 'stdout' ? options.stdout : options.stderr) ?? true;
}

/** Whole lines from a position on. */
class LineSource {
  readonly #file: LogFile;
  readonly #buffer = Buffer.alloc(blockSize);
  readonly #end: number;
  #position: number;
  #rest: Buffer = Buffer.alloc(0);

  constructor(file: LogFile, position: number, end: number) {
    this.#file = file;
    this.#end = end;
    this.#position = position;
  }

  /** The next lines without their newlines; undefined where the file ends for now. */
  async next(): Promise<Buffer[] | undefined> {
    const bytesRead = await this.#file.read(this.#buffer, Math.min(blockSize, this.#end - this.#position), this.#position);
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
  readonly aborted: boolean;
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
  // The directory, since the file of this name is another one after each rotation.
  const name = basename(path);
  const watcher = watch(dirname(path), { persistent: false }, (_, changed) => {
    if (changed === null || changed === name) ring();
  }).on('error', end);
  follow.ended.then(end, end);
  follow.signal.addEventListener('abort', ring, { once: true });
  return {
    get ended() {
      return ended;
    },
    get aborted() {
      return follow.signal.aborted;
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
