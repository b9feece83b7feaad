/** Writers killed with SIGKILL at random moments, one after another, on one database. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Durability } from '#core/store/embedded/store.ts';
import { seededRandom } from '#lib/random.ts';
import { Heard } from './heard.ts';
import { Model } from './model.ts';
import { assign, lookAt, memory, naming, startWriter } from './process.ts';
import type { Line } from './words.ts';
import type { Assignment } from './writer.ts';

/** A writer is killed after at most so many lines that it told, and then some of the time that a commit takes. */
const mostLines = 250;
const mostMicroseconds = 3000;

export interface Kills {
  kills: number;
  revisions: number;
  acknowledged: number;
}

export async function killRounds(kills: number, seed: number, durability: Durability): Promise<Kills> {
  const place = await mkdtemp(join(memory, 'gantry-killed-'));
  const directory = join(place, 'store');
  const random = seededRandom(seed);
  const [model, heard] = [new Model(), new Heard()];
  let acknowledged = 0;
  let spare = startWriter(place);
  try {
    for (let round = 0; round < kills; round++) {
      const writer = spare;
      spare = startWriter(place);
      const lines = random.int(8) === 0 ? 0 : random.int(mostLines);
      const told = await writeUntilKilled(writer, { run: `${round}`, directory, durability, seed: seed + round, tell: '1' }, lines, random.int(mostMicroseconds));
      acknowledged += told.filter((line) => 'ack' in line).length;
      await naming(`store killed, seed ${seed}, kill ${round}`, async () => {
        for (const line of told) for (const hearer of [model, heard]) hearer.hear(line);
        await lookAt(directory, durability, async (store) => {
          await heard.check(store);
          await model.follow(store);
          await model.compare(store, random.int(200));
          await heard.settle(store);
        });
      });
    }
    return { kills, revisions: model.revision, acknowledged };
  } finally {
    spare.kill('SIGKILL');
    await rm(place, { recursive: true, force: true });
  }
}

/** `lines` 0: while it opens the store. */
async function writeUntilKilled(writer: ChildProcess, assignment: Assignment, lines: number, microseconds: number): Promise<Line[]> {
  const told: Line[] = [];
  const ended = once(writer, 'exit');
  const kill = async (): Promise<void> => {
    await sleep(microseconds / 1000);
    writer.kill('SIGKILL');
  };
  assign(writer, assignment);
  if (lines === 0) void kill();
  for await (const text of createInterface({ input: writer.stdout! })) {
    if (!text.endsWith('}')) break; // cut
    told.push(JSON.parse(text) as Line);
    if (told.length === lines) void kill();
  }
  await ended;
  assert.equal(writer.signalCode, 'SIGKILL', 'a writer must not end by itself');
  return told;
}
