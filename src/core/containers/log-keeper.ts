import { isFault } from '#lib/errors.ts';
import type { Timer } from '#lib/clock.ts';
import { monotonicMs } from '#lib/clock.ts';
import { logSize, rotateLog } from '#core/logs/files.ts';
import type { LogLimits } from '#core/logs/files.ts';
import { reopenLog } from './conmon/control.ts';
import type { ContainerParts } from './parts.ts';
import type { Entries, Entry } from './entries.ts';

/** Milliseconds between two looks at a log: the time it takes to fill, as fast as it grows now, within these. */
const lookLeastMs = 100;
const lookMostMs = 2000;

/** When to look again at a log that has `left` bytes to its limit, and grew by `grown` in the last `elapsedMs`. */
export function nextLookMs(left: number, grown: number, elapsedMs: number): number {
  // Half of the time it has left, and never much longer than the last time: what grows may grow faster.
  const fullMs = grown <= 0 ? Infinity : ((left / grown) * elapsedMs) / 2;
  return Math.min(lookMostMs, Math.max(lookLeastMs, Math.min(fullMs, elapsedMs * 2)));
}

interface Look {
  bytes: number;
  at: number;
  /** The file that conmon was told to leave last. */
  told?: bigint | undefined;
}

/** Looks after the logs of the containers that run and have limits, until `signal`. */
export function keepLogs({ clock, log }: Pick<ContainerParts, 'clock' | 'log'>, entries: Entries, signal: AbortSignal): void {
  const timers = new Map<Entry, Timer>();
  const look = (entry: Entry, path: string, limits: LogLimits, before: Look): void => {
    const now: Look = { bytes: logSize(path), at: monotonicMs(clock), told: before.told };
    const grown = now.bytes - before.bytes;
    if (now.bytes >= limits.bytes) {
      try {
        now.told = rotateLog(path, limits.files, () => reopenLog(entry.bundle.control), before.told);
        now.bytes = 0;
      } catch (error) {
        if (!isFault(error, 'conflict')) log.warn('cannot begin the next file of a log', { id: entry.record.id, path, error });
      }
    }
    const wait = nextLookMs(limits.bytes - now.bytes, grown, now.at - before.at);
    timers.set(entry, clock.after(wait, () => look(entry, path, limits, now)).unref());
  };
  const begin = (entry: Entry): void => {
    const { logPath, logLimits, exit, startedAt } = entry.record;
    if (logPath !== undefined && logLimits && !exit && startedAt !== undefined && !timers.has(entry)) look(entry, logPath, logLimits, { bytes: logSize(logPath), at: monotonicMs(clock) });
  };
  const end = (entry: Entry): void => {
    timers.get(entry)?.cancel();
    timers.delete(entry);
  };
  const stop = entries.observe(({ type, status }) => {
    const entry = entries.get(status.id);
    if (entry && type === 'started') begin(entry);
    if (entry && type === 'exited') end(entry);
  });
  for (const entry of entries.all()) begin(entry);
  signal.addEventListener('abort', () => {
    stop();
    for (const entry of timers.keys()) end(entry);
  }, { once: true });
}
