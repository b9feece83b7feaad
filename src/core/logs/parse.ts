/** The k8s-file line: `<RFC 3339 time with nanoseconds and offset> <stream> <F|P> <data>\n`. */

export interface LogRecord {
  time: bigint;
  stream: 'stdout' | 'stderr';
  /** The line goes on in the next record of the same stream. */
  partial: boolean;
  data: Buffer;
}

const newline = Buffer.from('\n');

/** Undefined for a line that is none of conmon's (a torn write at a crash). `line` has no newline. */
export function parseLine(line: Buffer): LogRecord | undefined {
  const timeEnd = line.indexOf(0x20);
  const streamEnd = timeEnd + 7;
  if (timeEnd < 20 || line[streamEnd] !== 0x20 || line[streamEnd + 2] !== 0x20) return undefined;
  const stream = line.toString('latin1', timeEnd + 1, streamEnd);
  const tag = line[streamEnd + 1];
  const time = parseTime(line.toString('latin1', 0, timeEnd));
  if (time === undefined || (stream !== 'stdout' && stream !== 'stderr') || (tag !== 0x46 && tag !== 0x50)) return undefined;
  const data = line.subarray(streamEnd + 3);
  const partial = tag === 0x50;
  return { time, stream, partial, data: partial ? data : Buffer.concat([data, newline]) };
}

/** The parsed seconds of the newest text: lines of one read of conmon share theirs, and neighbours the second. */
let lastText = '';
let lastSeconds: bigint | undefined;

function parseTime(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (!match) return undefined;
  const whole = match[1]! + match[3]!;
  if (whole !== lastText) {
    const ms = Date.parse(whole);
    lastText = whole;
    lastSeconds = Number.isNaN(ms) ? undefined : BigInt(ms / 1000);
  }
  if (lastSeconds === undefined) return undefined;
  return lastSeconds * 1_000_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'));
}
