/** Waiting before a crashed container starts again, and before a failed step is tried again. */

const firstMs = 10_000;
const mostMs = 300_000;
/** A run as long as this was no crash. */
export const longRunMs = 600_000;

/** How long after its end a container waits, after `streak` short runs in a row: 0, 10 s, 20 s, … 5 min. */
export function restartDelay(streak: number): number {
  return streak <= 1 ? 0 : Math.min(mostMs, firstMs * 2 ** (streak - 2));
}

/** How long a step (a pull, a mount, a creation) waits after having failed `count` times in a row. */
export function retryDelay(count: number, reason: string): number {
  // What waits for somebody to create an object is looked at often; registries are not to be hammered.
  const first = reason === 'ErrImagePull' ? firstMs : 1000;
  const most = reason === 'ErrImagePull' ? mostMs : 30_000;
  return Math.min(most, first * 2 ** (count - 1));
}
