/**
 * The power fails under a writer: it writes on a disk that records (../disk), and then the disk is looked at as it may have been
 * left at any of those moments. Some of what is left is written on, and fails again.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Store } from '#core/store/types.ts';
import { seededRandom, type Random } from '#lib/random.ts';
import { Platter, type Act } from '../disk/journal.ts';
import { RecordingDisk } from '../disk/recording.ts';
import { Heard } from './heard.ts';
import { Model } from './model.ts';
import { assign, lookAt, memory, naming, startWriter } from './process.ts';
import type { Line } from './words.ts';

/** Failures that are looked at in what one writer did. */
const failuresPerWriter = 100;
/** Of these, those at the first acts on an empty disk, one each: the database is being made. */
const failuresAmidMaking = 40;
/** What a writer has the disk do before it is stopped. */
const actsPerWriter = 1500;
const tellName = 'told';

type Files = ReadonlyMap<string, Buffer>;

export interface Failures {
  failures: number;
  writers: number;
  acts: number;
}

export async function powerFailures(failures: number, seed: number): Promise<Failures> {
  const place = await mkdtemp(join(memory, 'gantry-power-'));
  const random = seededRandom(seed);
  const done = { failures: 0, writers: 0, acts: 0 };
  let files: Files = new Map();
  let spare = startWriter(place);
  try {
    while (done.failures < failures) {
      const writer = spare;
      spare = startWriter(place);
      const acts = await record(place, files, writer, `${done.writers}`, seed + done.writers);
      const some = Math.min(failuresPerWriter, failures - done.failures);
      files = await naming(`power failed, seed ${seed}, writer ${done.writers}`, () => failAt(place, files, acts, some, random));
      done.failures += some;
      done.writers++;
      done.acts += acts.length;
    }
    return done;
  } finally {
    spare.kill('SIGKILL');
    await rm(place, { recursive: true, force: true });
  }
}

/** What a writer has the disk do until it is killed. */
async function record(place: string, files: Files, writer: ChildProcess, run: string, seed: number): Promise<Act[]> {
  const directory = join(place, 'disk');
  await mkdir(directory, { recursive: true });
  const disk = new RecordingDisk(directory, files);
  try {
    assign(writer, { run, directory, durability: 'disk', seed, tell: join(directory, tellName) });
    while (disk.acts.length < actsPerWriter && writer.exitCode === null) await sleep(5);
    assert.equal(writer.exitCode, null, 'a writer must not end by itself');
    writer.kill('SIGKILL');
    await once(writer, 'exit');
    return disk.acts;
  } finally {
    writer.kill('SIGKILL');
    await disk.end();
  }
}

/** Gives what one of the failures left. */
async function failAt(place: string, before: Files, acts: readonly Act[], count: number, random: Random): Promise<Files> {
  const model = await wholeRun(place, before, acts);
  const first = before.size === 0 ? failuresAmidMaking : 0;
  const moments = Array.from({ length: count }, (_, i) => (i < first ? i : random.int(acts.length))).sort((a, b) => a - b);
  const [platter, heard, telling] = [new Platter(before), new Heard(), new Telling()];
  await withStore(place, before, (store) => heard.settle(store));
  let left: Files = before;
  let at = 0;
  for (const moment of moments) {
    for (; at <= moment; at++) {
      const act = acts[at] as Act;
      for (const line of telling.hear(act)) heard.hear(line);
      if (!isTold(act)) platter.take(act);
    }
    left = platter.crash(random);
    await naming(`act ${moment} of ${acts.length}`, () => withStore(place, left, (store) => afterFailure(store, model, heard, random)));
  }
  return left;
}

async function afterFailure(store: Store, model: Model, heard: Heard, random: Random): Promise<void> {
  await heard.check(store);
  await model.compare(store, random.int(200));
  const revision = store.revision();
  const { id } = await store.leases.grant(60);
  assert.ok(id > heard.lastLease, 'no lease is given twice');
  assert.equal(await store.put('after', Buffer.from('it'), { lease: id }), revision + 1);
}

/** The model of a run that was not cut off: what a failure leaves must be one of its revisions. */
async function wholeRun(place: string, before: Files, acts: readonly Act[]): Promise<Model> {
  const [platter, telling] = [new Platter(before), new Telling()];
  const model = await withStore(place, before, (store) => Model.of(store));
  for (const act of acts) {
    if (!isTold(act)) platter.take(act);
    for (const line of telling.hear(act)) model.hear(line);
  }
  await withStore(place, platter.asWritten(), (store) => model.follow(store));
  return model;
}

function isTold(act: Act): boolean {
  return 'file' in act && act.file === tellName;
}

/** The lines that are whole after each act: the kernel may cut one where a page ends. */
class Telling {
  #rest = '';

  hear(act: Act): Line[] {
    if (!isTold(act) || act.act !== 'write') return [];
    const lines = (this.#rest + act.data.toString()).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines.map((line) => JSON.parse(line) as Line);
  }
}

async function withStore<T>(place: string, files: Files, look: (store: Store) => Promise<T>): Promise<T> {
  const directory = join(place, 'left');
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory);
  for (const [name, data] of files) await writeFile(join(directory, name), data);
  return lookAt(directory, 'process', look);
}
