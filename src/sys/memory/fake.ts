import type { Memory } from './types.ts';

export interface FakeMemory extends Memory {
  /** Bytes that are in use, and those that were freed and are held still. */
  used: number;
  free: number;
  /** Milliseconds. */
  processor: number;
  gaveBack: number;
}

export function fakeMemory(): FakeMemory {
  const memory: FakeMemory = {
    used: 0,
    free: 0,
    processor: 0,
    gaveBack: 0,
    resident: () => memory.used + memory.free,
    worked: () => memory.processor,
    giveBack: () => {
      memory.free = 0;
      memory.gaveBack++;
    },
  };
  return memory;
}
