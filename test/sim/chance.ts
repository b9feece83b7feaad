import type { Random } from '#lib/random.ts';
import { seededRandom } from '#lib/random.ts';

/** Everything in the world that is left to chance draws from a stream of its own, so that one more draw here changes nothing there. */
export class Chance {
  readonly random: Random;

  constructor(seed: number, stream: string) {
    let mixed = seed >>> 0;
    for (const character of stream) mixed = (Math.imul(mixed, 31) + character.charCodeAt(0)) >>> 0;
    this.random = seededRandom(seed * 4_294_967 + mixed);
  }

  /** True with this probability. */
  happens(probability: number): boolean {
    return probability > 0 && this.random.int(1_000_000) < probability * 1_000_000;
  }

  /** A whole number in [low, high]. */
  between(low: number, high: number): number {
    return low + this.random.int(high - low + 1);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.random.int(items.length)] as T;
  }
}
