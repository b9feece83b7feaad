/** `npm run sim -- --seed N [--log]`, or `--seeds COUNT [--from N]`: runs worlds, and shrinks what fails. */
import { parseArgs } from 'node:util';
import { planOperations } from './operations.ts';
import { simKeys } from './keys.ts';
import type { Outcome } from './world.ts';
import { runWorld } from './world.ts';
import { outcomeText, shrink } from './shrink.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' }, seeds: { type: 'string' }, from: { type: 'string', default: '1' },
    log: { type: 'boolean', default: false }, shrink: { type: 'boolean', default: false },
  },
});

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const progressSeeds = 100;
/** A world that takes longer to settle is named, in milliseconds. */
const slowMs = 60_000;

async function one(seed: number): Promise<boolean> {
  const log = values.log ? (line: string): void => void process.stdout.write(line) : undefined;
  const operations = planOperations(seed);
  let outcome: Outcome = await runWorld({ seed, operations, keys: simKeys(), log });
  if (outcome.problems.length > 0 && values.shrink) {
    const smaller = await shrink(seed, operations, outcome, say);
    outcome = smaller.outcome;
  }
  say(outcomeText(seed, outcome));
  return outcome.problems.length === 0;
}

async function many(first: number, count: number): Promise<number> {
  const failed: number[] = [];
  for (let seed = first; seed < first + count; seed++) {
    const outcome = await runWorld({ seed, operations: planOperations(seed), keys: simKeys() });
    if (outcome.problems.length > 0) {
      failed.push(seed);
      say(`seed ${seed} fails: ${outcome.problems.slice(0, 3).join('; ')}`);
    }
    if (outcome.settledMs > slowMs) say(`seed ${seed} took ${Math.round(outcome.settledMs / 1000)} s to settle`);
    const done = seed - first + 1;
    if (done % progressSeeds === 0) say(`${done} of ${count} worlds, ${failed.length} failed; the last had ${outcome.revisions} revisions in ${Math.round(outcome.virtualMs / 1000)} s`);
  }
  say(failed.length === 0 ? `${count} worlds settled` : `${failed.length} of ${count} worlds failed: ${failed.join(' ')}\nlook at one with: npm run sim -- --seed ${failed[0]}`);
  return failed.length;
}

process.on('unhandledRejection', (error) => {
  process.stderr.write(`unhandled: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
});
const failures = values.seed === undefined ? await many(Number(values.from), Number(values.seeds ?? '200')) : Number(!(await one(Number(values.seed))));
if (failures > 0) process.exitCode = 1;
