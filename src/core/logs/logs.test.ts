import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { removeLog, rotateLog } from './files.ts';
import { createLogs } from './read.ts';
import type { LogEntry, LogOptions } from './types.ts';

const second = 1_795_000_000n * 1_000_000_000n;
const stamp = (n: number): string => new Date(Number(second / 1_000_000n) + n * 1000).toISOString().replace('.000Z', '.000000007+00:00');
const record = (n: number, stream: string, tag: string, data: string): string => `${stamp(n)} ${stream} ${tag} ${data}\n`;

describe('logs', () => {
  let directory: string;
  const logs = createLogs();
  before(() => (directory = mkdtempSync(join(tmpdir(), 'gantry-logs-'))));
  after(() => rmSync(directory, { recursive: true }));

  const write = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };
  const collect = async (path: string, options: LogOptions = {}): Promise<string[]> => {
    const entries: string[] = [];
    for await (const entry of logs.read(path, options)) entries.push(`${entry.stream}:${entry.data.toString()}`);
    return entries;
  };

  it('reads lines with stream, time and newline', async () => {
    const path = write('plain', record(1, 'stdout', 'F', 'one') + record(2, 'stderr', 'F', 'two words'));
    const entries: LogEntry[] = [];
    for await (const entry of logs.read(path, {})) entries.push(entry);
    assert.deepEqual(entries.map((e) => [e.time, e.stream, e.data.toString()]), [
      [second + 1_000_000_007n, 'stdout', 'one\n'],
      [second + 2_000_000_007n, 'stderr', 'two words\n'],
    ]);
  });

  it('takes local time offsets', async () => {
    const path = write('zone', '2026-11-21T03:51:38.3+02:00 stdout F x\n2026-11-21T01:51:38.300000000+00:00 stdout F y\n');
    const times: bigint[] = [];
    for await (const entry of logs.read(path, {})) times.push(entry.time);
    assert.equal(times[0], times[1]);
  });

  it('joins partial records of a stream, even when the other stream cuts in', async () => {
    const path = write('partial', record(1, 'stdout', 'P', 'a') + record(1, 'stderr', 'F', 'E') + record(1, 'stdout', 'P', 'b') + record(1, 'stdout', 'F', 'c') + record(2, 'stdout', 'P', 'no newline'));
    assert.deepEqual(await collect(path), ['stderr:E\n', 'stdout:abc\n', 'stdout:no newline']);
  });

  it('gives a long line in pieces of 16 KiB', async () => {
    const piece = 'x'.repeat(8192);
    const path = write('long', record(1, 'stdout', 'P', piece).repeat(4) + record(1, 'stdout', 'P', 'y') + record(1, 'stdout', 'F', ''));
    assert.deepEqual((await collect(path)).map((e) => e.length - 'stdout:'.length), [16384, 16384, 2]);
  });

  it('tails without the older lines, whatever the count', async () => {
    const lines = Array.from({ length: 5000 }, (_, n) => record(n, n % 2 ? 'stderr' : 'stdout', 'F', `line ${n}`));
    const path = write('tail', lines.join(''));
    for (const tail of [0, 1, 3, 1000, 4999, 5000, 6000]) {
      const got = await collect(path, { tail });
      assert.equal(got.length, Math.min(tail, 5000), `tail ${tail}`);
      if (tail > 0) assert.equal(got[0], `${got.length % 2 ? 'stderr' : 'stdout'}:line ${5000 - got.length}\n`);
    }
    assert.deepEqual(await collect(path, { tail: 4, stdout: true, stderr: false }), ['stdout:line 4996\n', 'stdout:line 4998\n']);
  });

  it('counts an unfinished line as one when it tails', async () => {
    const path = write('unfinished', record(1, 'stdout', 'F', 'a') + record(1, 'stdout', 'P', 'b') + record(1, 'stdout', 'F', 'c') + record(2, 'stdout', 'P', 'd'));
    assert.deepEqual(await collect(path, { tail: 2 }), ['stdout:bc\n', 'stdout:d']);
  });

  it('keeps to since and until', async () => {
    const path = write('since', [1, 2, 3, 4].map((n) => record(n, 'stdout', 'F', String(n))).join(''));
    const at = (n: number): bigint => second + BigInt(n) * 1_000_000_000n + 7n;
    assert.deepEqual(await collect(path, { since: at(2), until: at(3) }), ['stdout:2\n', 'stdout:3\n']);
  });

  it('skips what is no record', async () => {
    const path = write('torn', `garbage\n\n${record(1, 'stdout', 'F', 'ok')}2026-11-21T01:51`);
    assert.deepEqual(await collect(path), ['stdout:ok\n']);
    assert.deepEqual(await collect(join(directory, 'absent')), []);
  });

  it('follows until the container ends, and loses nothing that was written before', async () => {
    const path = write('follow', record(1, 'stdout', 'F', 'old'));
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const seen = collect(path, { follow: { ended, signal: new AbortController().signal } });
    await sleep(20);
    const text = record(2, 'stdout', 'F', 'new');
    appendFileSync(path, text.slice(0, 40));
    await sleep(20);
    appendFileSync(path, text.slice(40));
    appendFileSync(path, record(3, 'stdout', 'P', 'last'));
    end();
    assert.deepEqual(await seen, ['stdout:old\n', 'stdout:new\n', 'stdout:last']);
  });

  it('stops following when told', async () => {
    const path = write('stop', record(1, 'stdout', 'F', 'x'));
    const abort = new AbortController();
    const seen = collect(path, { tail: 0, follow: { ended: new Promise(() => {}), signal: abort.signal } });
    await sleep(20);
    abort.abort();
    assert.deepEqual(await seen, []);
  });

  /** A log in several files, the oldest lines first; what is written goes to the last. */
  const writeFiles = (name: string, ...texts: string[]): string => {
    const path = join(directory, name);
    texts.toReversed().forEach((text, number) => writeFileSync(number === 0 ? path : `${path}.${number}`, text));
    return path;
  };
  const numbers = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, n) => `stdout:${from + n}\n`);
  const records = (from: number, to: number): string => Array.from({ length: to - from }, (_, n) => record(from + n, 'stdout', 'F', String(from + n))).join('');

  it('reads a log of several files as one, from any end', async () => {
    const path = writeFiles('files', records(0, 10), records(10, 20), records(20, 25));
    assert.deepEqual(await collect(path), numbers(0, 25));
    for (const tail of [0, 1, 5, 6, 15, 16, 24, 25, 26]) assert.deepEqual(await collect(path, { tail }), numbers(Math.max(0, 25 - tail), 25), `tail ${tail}`);
    const torn = writeFiles('torn-files', record(1, 'stdout', 'F', 'a') + record(2, 'stdout', 'P', 'b'), record(2, 'stdout', 'F', 'c') + record(3, 'stdout', 'F', 'd'));
    assert.deepEqual(await collect(torn, { tail: 2 }), ['stdout:bc\n', 'stdout:d\n'], 'a line over two files is one');
    writeFileSync(path, '');
    assert.deepEqual(await collect(path, { tail: 3 }), numbers(17, 20), 'the newest has just begun');
  });

  it('keeps as many files as were asked for, and none is read twice before the writer has let go', async () => {
    const path = writeFiles('rotated', records(0, 3));
    let told = rotateLog(path, 3, () => {});
    assert.deepEqual(await collect(path), numbers(0, 3));
    assert.equal(rotateLog(path, 3, () => assert.fail('it was told'), told), told);
    for (let n = 3; n < 9; n += 3) {
      rmSync(path);
      writeFileSync(path, records(n, n + 3));
      told = rotateLog(path, 3, () => {}, told);
    }
    rmSync(path);
    writeFileSync(path, records(9, 10));
    assert.deepEqual(await collect(path), numbers(3, 10));
    rotateLog(path, 1, () => rmSync(path));
    removeLog(path);
    assert.deepEqual(readdirSync(directory).filter((name) => name.startsWith('rotated')), []);
  });

  it('follows from file to file, however many are begun between two looks', async () => {
    const path = writeFiles('followed', records(0, 2), records(2, 4));
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const seen: string[] = [];
    const reading = (async () => {
      for await (const entry of logs.read(path, { tail: 3, follow: { ended, signal: new AbortController().signal } })) seen.push(`${entry.stream}:${entry.data.toString()}`);
    })();
    const until = async (count: number): Promise<void> => {
      for (let i = 0; i < 500 && seen.length < count; i++) await sleep(10);
    };
    await until(3);
    for (let n = 4; n < 20; n++) {
      rotateLog(path, 4, () => {});
      // The writer's last lines come when the file has its second name already.
      appendFileSync(path, records(n, n + 1));
      rmSync(path);
      writeFileSync(path, '');
      // no further behind than files are kept
      if (n % 3 === 0) await until(n);
    }
    appendFileSync(path, records(20, 21));
    end();
    await reading;
    assert.deepEqual(seen, numbers(1, 21));
  });
});
