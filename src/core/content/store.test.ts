import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { VirtualClock } from '#lib/clock-virtual.ts';
import { isFault } from '#lib/errors.ts';
import { systemRandom } from '#lib/random.ts';
import { contentLimits, openContent } from './store.ts';
import type { Content, Digest } from './types.ts';

const text = Buffer.from('some layer bytes');
const digest: Digest = `sha256:${createHash('sha256').update(text).digest('hex')}`;

function place(t: TestContext): { root: string; open: (clock?: VirtualClock) => Promise<Content> } {
  const root = mkdtempSync(join(tmpdir(), 'content-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  return { root, open: (clock = new VirtualClock(0)) => openContent({ root, clock, random: systemRandom }) };
}

test('a blob is there once its digest was verified, and reads back in ranges', async (t) => {
  const content = await place(t).open();
  const ingest = await content.ingest('layer', { digest, size: text.length });
  await ingest.write(text);
  assert.equal(await content.stat(digest), undefined, 'not before the commit');
  assert.deepEqual(await ingest.commit(), { digest, size: text.length });
  assert.deepEqual(await content.read(digest), text);
  const parts = await (await content.open(digest, { start: 5, end: 10 })).toArray();
  assert.equal(Buffer.concat(parts as Buffer[]).toString(), 'layer');
  assert.equal(await content.delete(digest), true);
  assert.equal(await content.delete(digest), false);
  await assert.rejects(content.open(digest), (e) => isFault(e, 'not-found'));
});

test('wrong bytes are never published', async (t) => {
  const { open, root } = place(t);
  const content = await open();
  const wrong = await content.ingest('layer', { digest });
  await wrong.write(Buffer.from('other bytes'));
  await assert.rejects(wrong.commit(), (e) => isFault(e, 'invalid') && e.message.includes(digest));
  const short = await content.ingest('layer', { size: text.length + 1 });
  await short.write(text);
  await assert.rejects(short.commit(), (e) => isFault(e, 'invalid') && /has 16 bytes, want 17/.test(e.message));
  const long = await content.ingest('layer', { size: 3 });
  await assert.rejects(long.write(text), (e) => isFault(e, 'invalid'));
  assert.deepEqual(await Array.fromAsync(content.list()), []);
  assert.deepEqual(readdirSync(join(root, 'ingests')), []);
});

test('an ingest resumes after a restart and is one writer at a time', async (t) => {
  const { open } = place(t);
  const first = await (await open()).ingest('download', { digest, resumes: true });
  await first.write(text.subarray(0, 6));
  await first.close();
  const content = await open();
  const second = await content.ingest('download', { digest, resumes: true });
  assert.equal(second.offset, 6);
  await assert.rejects(content.ingest('download'), (e) => isFault(e, 'conflict'));
  await second.write(text.subarray(6));
  assert.equal((await second.commit()).digest, digest);
  const again = await content.ingest('download');
  assert.equal(again.offset, 0);
  await again.close({ discard: true });
});

test('an ingest that nobody resumes for a day is dropped at the next start', async (t) => {
  const { open } = place(t);
  const [left, once] = [await (await open()).ingest('left', { resumes: true }), await (await open()).ingest('once')];
  for (const ingest of [left, once]) {
    await ingest.write(text);
    await ingest.close();
  }
  const now = Date.now();
  const content = await open(new VirtualClock(now));
  assert.equal((await content.ingest('left', { resumes: true })).offset, text.length);
  assert.equal((await content.ingest('once')).offset, 0, 'no download, so nobody will');
  const later = await open(new VirtualClock(now + contentLimits.staleIngestMs + 60_000));
  assert.equal((await later.ingest('left', { resumes: true })).offset, 0);
});

test('small blobs: stored once, by several at a time; a digest that is no digest is refused', async (t) => {
  const content = await place(t).open();
  assert.deepEqual(await Promise.all([content.put(text), content.put(text)]), [digest, digest]);
  assert.equal((await Array.fromAsync(content.list())).length, 1);
  await assert.rejects(content.read(digest, 4), (e) => isFault(e, 'too-large'));
  assert.throws(() => content.path('sha256:../../etc/passwd'), (e) => isFault(e, 'invalid'));
});
