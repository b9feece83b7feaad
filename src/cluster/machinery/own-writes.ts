import type { Clock } from '#lib/clock.ts';
import { monotonicMs } from '#lib/clock.ts';
import type { ApiObject, Informer } from './types.ts';

/** After this long, in milliseconds, the copy is believed whatever it shows. */
const patienceMs = 5 * 60_000;

/**
 * The newest write of a controller for each of its keys. Until its informer shows that revision the copy is older than
 * what the controller itself did, and a decision by it could be at odds with the one before. Revisions of all
 * objects are numbers of one row, and rise.
 */
export class OwnWrites {
  readonly #clock: Clock;
  readonly #newest = new Map<string, { revision: number; at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  wrote(key: string, { metadata: { resourceVersion } }: Pick<ApiObject, 'metadata'>): void {
    const revision = Number(resourceVersion ?? '0');
    if (revision > (this.#newest.get(key)?.revision ?? 0)) this.#newest.set(key, { revision, at: monotonicMs(this.#clock) });
  }

  /** Whether the informer shows all that was written for `key`. Its change then brings the key back. */
  seenBy(informer: Pick<Informer<ApiObject>, 'resourceVersion'>, key: string): boolean {
    const newest = this.#newest.get(key);
    if (!newest) return true;
    if (Number(informer.resourceVersion()) < newest.revision && monotonicMs(this.#clock) - newest.at <= patienceMs) return false;
    this.#newest.delete(key);
    return true;
  }

  forget(key: string): void {
    this.#newest.delete(key);
  }
}
