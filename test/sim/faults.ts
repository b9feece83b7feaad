/**
 * What goes wrong in a world, as probabilities. Each seed draws its own mix, most of it nought: a world in which
 * everything fails at once finds less than many in which little does.
 *
 * - *Store*: a commit is slow, or the disk refuses it (nothing of it is there then); a read or a write is refused; a
 *   write is answered with `timeout` and may be there or not; a watch breaks, at times as too old.
 * - *Requests* of the API: slow, refused; and of those from other machines, carried out with the answer lost.
 * - *Watches* of the API: slow to tell; tell twice, at once or after others; break off (what was not told yet is told to the next
 *   watch); go on from an older revision than they were at; are too old, by themselves or by a compaction.
 * - *Pods*: slow to start, not ready for a while, failed for good.
 */
import { Chance } from './chance.ts';

export interface Faults {
  store: { slow: number; refused: number; unanswered: number; diskFull: number; watchBroken: number };
  request: { slow: number; refused: number; lost: number };
  watch: { slow: number; repeated: number; late: number; broken: number; rewound: number; expired: number };
  pod: { flapping: number; failing: number };
}

/** Longest delays, in milliseconds: of a commit or a read, of a request, of a watch's events. */
export const slowest = { store: 400, request: 1500, watch: 4000 } as const;

const none: Faults = {
  store: { slow: 0, refused: 0, unanswered: 0, diskFull: 0, watchBroken: 0 },
  request: { slow: 0, refused: 0, lost: 0 },
  watch: { slow: 0, repeated: 0, late: 0, broken: 0, rewound: 0, expired: 0 },
  pod: { flapping: 0, failing: 0 },
};

const shareOfQuietWorlds = 0.1;
/** Worlds in which only pods fail: what happens there nobody hears late. */
const shareOfPromptWorlds = 0.15;

export function drawFaults(seed: number): Faults {
  const chance = new Chance(seed, 'faults');
  if (chance.happens(shareOfQuietWorlds)) return structuredClone(none);
  const draw = (...levels: number[]): number => (chance.happens(0.5) ? chance.pick(levels) : 0);
  const pod = { flapping: draw(0.1, 0.4), failing: draw(0.05, 0.2) };
  if (chance.happens(shareOfPromptWorlds)) return { ...structuredClone(none), pod };
  return {
    store: {
      slow: draw(0.05, 0.3), refused: draw(0.005, 0.03), unanswered: draw(0.005, 0.02), diskFull: draw(0.005, 0.05), watchBroken: draw(0.001, 0.005),
    },
    request: { slow: draw(0.02, 0.2), refused: draw(0.01, 0.05), lost: draw(0.01, 0.05) },
    watch: { slow: draw(0.02, 0.1), repeated: draw(0.05, 0.2), late: draw(0.02, 0.1), broken: draw(0.005, 0.03), rewound: draw(0.3, 1), expired: draw(0.002, 0.01) },
    pod,
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
