/**
 * What the process does at rest. After a burst of work (pods by the hundred, builds) it holds several times the memory that it needs,
 * and V8 lets go of it only when work goes on. So it is watched how much the process works: where that has been next to nothing for
 * a while, and the process has grown, it gives back what is free.
 */
import type { Clock, Timer } from '#lib/clock.ts';
import { every, monotonicMs } from '#lib/clock.ts';
import type { Memory } from '#sys/memory/types.ts';

/** Milliseconds between two looks. */
export const lookMs = 1000;
/** Looks in a row that find it at rest, before it is taken to be so. */
export const restingLooks = 2;
/** At rest it uses at most this share of a processor. */
export const restingShare = 0.1;
/** Bytes that it has grown by since it last gave back, at least: more than V8 lets garbage grow to under a light load, so that it is no habit. */
export const worthBytes: number = 48 << 20;

export function giveBackAtRest(memory: Memory, clock: Clock): Timer {
  let least = 0;
  let quiet = 0;
  let last = { at: monotonicMs(clock), worked: memory.worked() };
  return every(clock, lookMs, () => {
    const now = { at: monotonicMs(clock), worked: memory.worked() };
    const share = (now.worked - last.worked) / (now.at - last.at);
    last = now;
    quiet = share <= restingShare ? quiet + 1 : 0;
    if (quiet < restingLooks || memory.resident() - least < worthBytes) return;
    memory.giveBack();
    least = memory.resident();
    quiet = 0;
  }).unref();
}
