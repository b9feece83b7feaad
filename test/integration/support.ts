/** What tests across rooms share. */
import { setTimeout as sleep } from 'node:timers/promises';

const patienceMs = 10_000;
const pauseMs = 20;

/** Tries `check` until it holds; after ten seconds its last failure is thrown. */
export async function eventually<T>(check: () => Promise<T> | T): Promise<T> {
  const end = Date.now() + patienceMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await sleep(pauseMs);
  }
}
