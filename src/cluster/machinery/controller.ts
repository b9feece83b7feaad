import type { Clock } from '#lib/clock.ts';
import { monotonicMs } from '#lib/clock.ts';
import { isFault } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { WorkQueue } from './queue.ts';

/** After this many milliseconds a reconcile is called slow in the log. */
const slowMs = 5000;

export interface ControllerOptions {
  name: string;
  queue: WorkQueue;
  /** How many keys are worked on at a time. */
  workers: number;
  /** What must have been read before the first key is worked on. */
  synced?: readonly Promise<void>[];
  /** Brings what `key` names nearer to what is wanted; may say after how many milliseconds to look again. */
  reconcile: (key: string) => Promise<number | undefined | void>;
  signal: AbortSignal;
  log: Logger;
  clock: Clock;
}

/** The one reconcile loop. Resolves when the signal is aborted and the work under way has ended. */
export async function runController(options: ControllerOptions): Promise<void> {
  const { queue, workers, synced = [], signal } = options;
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await Promise.race([Promise.all(synced), aborted]);
  if (signal.aborted) return queue.close();
  const all = Array.from({ length: workers }, () => work(options));
  await aborted;
  queue.close();
  await Promise.all(all);
}

async function work(options: ControllerOptions): Promise<void> {
  const { queue, signal, clock } = options;
  const log = options.log.child(options.name);
  for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
    const began = monotonicMs(clock);
    try {
      const again = await options.reconcile(key);
      queue.forget(key);
      if (typeof again === 'number') queue.addAfter(key, again);
    } catch (error) {
      if (signal.aborted) return;
      // Somebody else was quicker: the newer copy is on its way.
      if (isFault(error, 'conflict')) log.debug('changed meanwhile; trying again', { key });
      else log.warn('could not reconcile; trying again', { key, error });
      queue.addFailed(key);
    } finally {
      queue.done(key);
    }
    const tookMs = monotonicMs(clock) - began;
    if (tookMs > slowMs) log.warn('a reconcile was slow', { key, tookMs });
  }
}
