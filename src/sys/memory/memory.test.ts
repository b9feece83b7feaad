import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { fakeMemory } from './fake.ts';
import { linuxMemory } from './linux.ts';
import { memorySuite } from './suite.ts';

memorySuite('fake', () => {
  const memory = fakeMemory();
  const use = (bytes: number): void => {
    memory.free += bytes;
    memory.processor++;
  };
  return { memory, use };
});

memorySuite('linux', () => {
  // as the daemon is started with
  setFlagsFromString('--expose-gc');
  globalThis.gc = runInNewContext('gc') as NodeJS.GCFunction;
  return { memory: linuxMemory(), use: fillHeap };
});

/** With objects of a few dozen bytes, all at the same time. */
function fillHeap(bytes: number): void {
  const kept: object[] = [];
  for (let i = 0; i < bytes / 64; i++) kept.push({ a: i, b: i, c: i, d: i });
  kept.length = 0;
}
