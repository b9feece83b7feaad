import type { Clock } from '#lib/clock.ts';

export interface TimeLimit {
  /** Aborted by the outer signal, or when the time is over. */
  signal: AbortSignal;
  isOver(): boolean;
  /** Must be called when the work has ended. */
  end(): void;
}

/** A signal that aborts after `ms`. */
export function limitTime(clock: Clock, ms: number, outer: AbortSignal | undefined): TimeLimit {
  const over = new AbortController();
  const timer = clock.after(ms, () => over.abort());
  return { signal: outer ? AbortSignal.any([outer, over.signal]) : over.signal, isOver: () => over.signal.aborted, end: () => timer.cancel() };
}
