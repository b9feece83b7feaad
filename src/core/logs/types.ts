/**
 * Logs: what containers printed, in conmon's k8s-file form (docker.md §7.6), read for both doors.
 * A line that conmon cut into partial records reads as one entry, up to 16 KiB a piece. A log with limits is *rotated*: it
 * is several files (`files.ts`), read as one; who follows it goes from each to the next. What was rotated away is gone.
 */
export interface Logs {
  /** Entries in order. Ends at the end of the log, or with `follow` when `until` ends and all was read. */
  read(path: string, options: LogOptions): AsyncIterable<LogEntry>;
}

export interface LogEntry {
  /** Nanoseconds since the epoch. */
  time: bigint;
  stream: 'stdout' | 'stderr';
  /** With its newline where it had one. */
  data: Buffer;
}

export interface LogOptions {
  stdout?: boolean;
  stderr?: boolean;
  /** Only the newest so many lines. */
  tail?: number;
  /** Nanoseconds since the epoch, inclusive. */
  since?: bigint;
  until?: bigint;
  /** Partial records as entries of their own, as soon as they are written: what was printed, byte for byte. */
  pieces?: boolean;
  follow?: {
    /** Resolves when the container has exited and its log is complete. */
    ended: Promise<unknown>;
    signal: AbortSignal;
  };
}
