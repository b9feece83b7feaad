/**
 * Time is a parameter. Everything that reads the time or waits takes a `Clock`, so that a test or a
 * simulation can move it. This file and `clock-virtual.ts` are the one home of Node's timers.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch; may jump: for what is shown and kept, never for how long something took or waits. */
  now(): number;
  /** Nanoseconds since an arbitrary start; never goes back. */
  monotonic(): bigint;
  /** Calls `fn` once after `ms`; `fn` must not throw. */
  after(ms: number, fn: () => void): Timer;
  /** Resolves after `ms`; rejects with the signal's reason if it is aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface Timer {
  cancel(): void;
  /** Lets the process end while this timer is pending. */
  unref(): Timer;
}

/** Milliseconds since an arbitrary start; never goes back. */
export function monotonicMs(clock: Pick<Clock, 'monotonic'>): number {
  return Number(clock.monotonic() / 1000n) / 1000;
}

/** RFC 3339 with milliseconds, in UTC. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** RFC 3339 in whole seconds, in UTC: the form of Kubernetes' `Time`. */
export function isoSeconds(ms: number): string {
  return new Date(Math.floor(ms / 1000) * 1000).toISOString().replace('.000Z', 'Z');
}

/** Calls `fn` each `ms` until cancelled; a call that is still running is not overlapped. */
export function every(clock: Clock, ms: number, fn: () => void | Promise<void>): Timer {
  let cancelled = false;
  let current: Timer | undefined;
  let unrefed = false;
  const arm = (): void => {
    if (cancelled) return;
    current = clock.after(ms, () => {
      void Promise.resolve()
        .then(fn)
        .catch(() => {})
        .then(arm);
    });
    if (unrefed) current.unref();
  };
  arm();
  const timer: Timer = {
    cancel() {
      cancelled = true;
      current?.cancel();
    },
    unref() {
      unrefed = true;
      current?.unref();
      return timer;
    },
  };
  return timer;
}

/** A longer timer would end at once: Node keeps its milliseconds in 31 bits. 24 days. */
const longestTimerMs = 2 ** 31 - 1;

class SystemClock implements Clock {
  now(): number {
    return Date.now();
  }

  monotonic(): bigint {
    return process.hrtime.bigint();
  }

  after(ms: number, fn: () => void): Timer {
    const handle = setTimeout(fn, Math.min(ms, longestTimerMs));
    const timer: Timer = {
      cancel: () => clearTimeout(handle),
      unref: () => {
        handle.unref();
        return timer;
      },
    };
    return timer;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }
}

/** `Clock.sleep` in terms of `Clock.after`. */
export function sleepOn(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason as Error);
    };
    const timer = clock.after(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

export const systemClock: Clock = new SystemClock();
