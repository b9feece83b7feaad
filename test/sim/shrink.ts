import { simKeys } from './keys.ts';
import type { Operation } from './operations.ts';
import type { Outcome } from './world.ts';
import { runWorld } from './world.ts';

/** Leaves out operations as long as the world still fails: first in large pieces, then one by one. */
export async function shrink(seed: number, operations: readonly Operation[], failing: Outcome, say: (text: string) => void): Promise<{ operations: readonly Operation[]; outcome: Outcome }> {
  let [kept, outcome] = [operations, failing];
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < kept.length;) {
      const fewer = [...kept.slice(0, start), ...kept.slice(start + size)];
      const tried = fewer.length > 0 ? await runWorld({ seed, operations: fewer, keys: simKeys() }) : undefined;
      if (tried && tried.problems.length > 0) [kept, outcome] = [fewer, tried];
      else start += size;
    }
    say(`${kept.length} operations still fail`);
  }
  return { operations: kept, outcome };
}

export function outcomeText(seed: number, { problems, trace, hash, virtualMs, revisions }: Outcome): string {
  const head = `seed ${seed}: ${problems.length === 0 ? 'settled' : 'FAILED'} after ${Math.round(virtualMs / 1000)} s, ${revisions} revisions, hash ${hash}`;
  return [head, ...trace.map((line) => `  ${line}`), ...problems.map((problem) => `  PROBLEM ${problem}`)].join('\n');
}
