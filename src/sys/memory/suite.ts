import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Memory } from './types.ts';

export interface MemoryUnderTest {
  memory: Memory;
  /** Uses so many bytes, working for it, and lets go of all of them. */
  use: (bytes: number) => void;
}

export function memorySuite(name: string, make: () => MemoryUnderTest): void {
  describe(`memory: ${name}`, () => {
    it('what a burst of work left is given back', () => {
      const { memory, use } = make();
      const burst = 256 << 20;
      const worked = memory.worked();
      const before = memory.resident();
      use(burst);
      const after = memory.resident();
      assert.ok(memory.worked() > worked);
      memory.giveBack();
      assert.ok(after - memory.resident() > burst / 4, `${before} bytes before, ${after} after, ${memory.resident()} in the end`);
    });
  });
}
