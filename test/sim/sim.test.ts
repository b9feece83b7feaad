/** Seeded worlds: what must hold of the cluster whatever goes wrong. A failing seed is printed and repeats with `npm run sim -- --seed N`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simKeys } from './keys.ts';
import { planOperations } from './operations.ts';
import { outcomeText } from './shrink.ts';
import type { Outcome } from './world.ts';
import { runWorld } from './world.ts';

const worlds = 200;
/** Of them so many are run twice. */
const repeated = 3;

const run = (seed: number): Promise<Outcome> => runWorld({ seed, operations: planOperations(seed), keys: simKeys() });

test('the same seed gives the same world, commit by commit', async () => {
  for (let seed = 1; seed <= repeated; seed++) {
    const [first, second] = [await run(seed), await run(seed)];
    assert.deepEqual(second.trace, first.trace);
    assert.equal(second.hash, first.hash);
  }
  assert.notEqual((await run(1)).hash, (await run(2)).hash);
});

test(`${worlds} seeded worlds settle: what is wanted is there, once, and nothing else`, async () => {
  const failed: string[] = [];
  for (let seed = 1; seed <= worlds; seed++) {
    const outcome = await run(seed);
    if (outcome.problems.length > 0) failed.push(`${outcomeText(seed, outcome)}\n  again, with fewer operations: npm run sim -- --seed ${seed} --shrink`);
  }
  assert.equal(failed.length, 0, `\n${failed.join('\n')}`);
});
