/** A disk that fails at the writes after which LMDB itself gives up: they are refused in a line, reading goes on, and so does all once it is well again. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { openEmbeddedStore } from '#core/store/embedded/store.ts';
import { VirtualClock } from '#lib/clock-virtual.ts';
import { silentLogger } from '#lib/log.ts';
import { seededRandom } from '#lib/random.ts';
import { memory } from './process.ts';
import { RecordingDisk, whyNoRecordingDisk } from '../disk/recording.ts';

/** Times that the disk fails, and the writes that each is felt for. */
const failures = 60;
const feltWrites = 4;
/** LMDB's newest state is in one of the first two pages. */
const metaBytes = 8192;

test('a store on a disk that fails 60 times', { skip: whyNoRecordingDisk(), timeout: 120_000 }, async (t) => {
  const place = mkdtempSync(join(memory, 'gantry-failing-'));
  const disk = new RecordingDisk(place);
  t.after(async () => {
    await disk.end();
    rmSync(place, { recursive: true, force: true });
  });
  const random = seededRandom(1);
  const writer = spawn(process.execPath, [join(import.meta.dirname, 'on-failing-disk.ts'), place], { stdio: ['pipe', 'pipe', 'inherit'] });
  const acknowledged: [key: string, revision: number][] = [];
  const refusals: string[] = [];
  let [failed, quiet, felt] = [0, 3, 0];
  let which = 0;
  const fail = (): void => {
    failed++;
    felt = 0;
    which = random.int(3);
    disk.fails = (act) => {
      const isMeta = act.act === 'write' && act.file === 'data.mdb' && act.offset < metaBytes;
      const hit = [act.act === 'sync', isMeta, act.act === 'write' && act.file === 'opened'][which];
      // once it has failed it takes no byte; data pages are left out: a disk that begins to fail there, after that byte, may end the process
      return hit || (felt > 0 && act.act === 'write' && act.file === 'opened') ? constants.errno.EIO : undefined;
    };
  };
  for await (const line of createInterface({ input: writer.stdout })) {
    const [, key = '', rest = ''] = /^(\w+) (.*)$/.exec(line) ?? [];
    if (rest.startsWith('refused')) {
      refusals.push(rest);
      felt++;
      if (felt < feltWrites) continue;
      disk.fails = () => undefined;
      [quiet, felt] = [1 + random.int(5), 0];
    } else {
      acknowledged.push([key, Number(rest)]);
      if (--quiet === 0 && failed < failures) fail();
      else if (failed === failures && quiet < -5) writer.stdin.end();
    }
  }
  if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit');
  assert.deepEqual([writer.exitCode, writer.signalCode], [0, null], 'it ends as it should');
  assert.equal(failed, failures);
  assert.ok(refusals.length >= failures * feltWrites);
  for (const refusal of refusals) assert.match(refusal, /could not write: .*(Input\/output error|EIO|takes no writes).*; look for a full or failing disk$/);
  assert.deepEqual(acknowledged.map(([, revision]) => revision), acknowledged.map((_, i) => i + 1), 'revisions go on without a gap');
  const left = mkdtempSync(join(memory, 'gantry-left-'));
  t.after(() => rmSync(left, { recursive: true }));
  for (const name of ['data.mdb', 'opened']) writeFileSync(join(left, name), disk.content(name));
  const store = await openEmbeddedStore({ directory: left, durability: 'process', clock: new VirtualClock(), log: silentLogger });
  const { entries } = await store.range('k', 'l');
  assert.deepEqual(entries.map(({ key, modRevision }) => [key, modRevision]), acknowledged, 'what was acknowledged is there, and nothing else');
  await store.close();
});
