/**
 * What goes wrong in a world, as probabilities. Each seed draws its own mix, most of it nought: a world in which
 * everything fails at once finds less than many in which little does.
 *
 * - *Store*: a commit is slow, or the disk refuses it (nothing of it is there then); a read or a write is refused; a
 *   write is answered with `timeout` and may be there or not; a watch breaks, at times as too old.
 * - *Requests* of the API: slow, refused; and of those from other machines, carried out with the answer lost.
 * - *Watches* of the API: slow to tell, tell twice, break off (what was not told yet is told to the next watch), are too old.
 * - *Pods*: slow to start, not ready for a while, failed for good.
 */
import { Chance } from './chance.ts';

export interface Faults {
  store: { slow: number; refused: number; unanswered: number; diskFull: number; watchBroken: number };
  request: { slow: number; refused: number; lost: number };
  watch: { slow: number; repeated: number; broken: number; expired: number };
  pod: { flapping: number; failing: number };
}

/** Longest delays, in milliseconds: of a commit or a read, of a request, of a watch's events. */
export const slowest = { store: 400, request: 1500, watch: 4000 } as const;

const none: Faults = {
  store: { slow: 0, refused: 0, unanswered: 0, diskFull: 0, watchBroken: 0 },
  request: { slow: 0, refused: 0, lost: 0 },
  watch: { slow: 0, repeated: 0, broken: 0, expired: 0 },
  pod: { flapping: 0, failing: 0 },
};

const shareOfQuietWorlds = 0.1;

export function drawFaults(seed: number): Faults {
  const chance = new Chance(seed, 'faults');
  if (chance.happens(shareOfQuietWorlds)) return structuredClone(none);
  const draw = (...levels: number[]): number => (chance.happens(0.5) ? chance.pick(levels) : 0);
  return {
    store: {
      slow: draw(0.05, 0.3), refused: draw(0.005, 0.03), unanswered: draw(0.005, 0.02), diskFull: draw(0.005, 0.05), watchBroken: draw(0.001, 0.005),
    },
    request: { slow: draw(0.02, 0.2), refused: draw(0.01, 0.05), lost: draw(0.01, 0.05) },
    watch: { slow: draw(0.02, 0.1), repeated: draw(0.05, 0.2), broken: draw(0.005, 0.03), expired: draw(0.002, 0.01) },
    pod: { flapping: draw(0.1, 0.4), failing: draw(0.05, 0.2) },
  };
}

/** Stops all of them. */
export function endFaults(faults: Faults): void {
  Object.assign(faults, structuredClone(none));
}

/** The mix as text, without what is nought. */
export function faultsText(faults: Faults): string {
  const parts = Object.entries(faults).flatMap(([room, all]) =>
    Object.entries(all as Record<string, number>).filter(([, share]) => share > 0).map(([name, share]) => `${room}.${name}=${share}`));
  return parts.join(' ') || 'none';
}
