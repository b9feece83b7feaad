/** Joins partial records of a stream to whole entries, a long line in pieces. */
import type { LogRecord } from './parse.ts';
import type { LogEntry } from './types.ts';

/** Longest entry in bytes, as Docker's: a longer line comes in several. */
export const entryLimit = 16 * 1024;

export class LineJoiner {
  readonly #pending = new Map<LogRecord['stream'], LogEntry>();

  /** What `record` completes: nothing, or one or more entries. */
  add(record: LogRecord): LogEntry[] {
    const pending = this.#pending.get(record.stream);
    this.#pending.delete(record.stream);
    let data = pending ? Buffer.concat([pending.data, record.data]) : record.data;
    const time = pending?.time ?? record.time;
    const ready: LogEntry[] = [];
    // The newline does not count: a line of exactly the limit is one entry.
    while (data.length - (record.partial ? 0 : 1) > entryLimit) {
      ready.push({ time, stream: record.stream, data: data.subarray(0, entryLimit) });
      data = data.subarray(entryLimit);
    }
    if (!record.partial) ready.push({ time, stream: record.stream, data });
    else if (data.length > 0) this.#pending.set(record.stream, { time, stream: record.stream, data });
    return ready;
  }

  /** What is left without a newline, when no more will come. */
  flush(): LogEntry[] {
    const rest = [...this.#pending.values()].toSorted((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
    this.#pending.clear();
    return rest;
  }
}
