import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { isFault } from '#lib/errors.ts';
import { seededRandom } from '#lib/random.ts';
import type { Random } from '#lib/random.ts';
import { TarDecoder } from '#lib/tar/decode.ts';
import { tarEntry } from '#lib/tar/types.ts';
import { encodeEntry, tarPadding } from '#lib/tar/write.ts';
import { linuxFiles } from '#sys/fs/linux.ts';
import { onLinuxAsRoot } from '#sys/testing.ts';
import { LayerWriter } from './layer-writer.ts';

/** Archives made from a seed; a failure names it. */
const seeds = 250;
const names = ['a', 'b', 'a/b', 'a/b/c', 'a/..', 'b/c', 'outside', './', '.wh.a', 'a/.wh.b', 'a/.wh..wh..opq', '../outside', 'a/../../outside/x', '/etc', 'a/b/../../..', 'ä', 'x'.repeat(120)];
const types = ['file', 'link', 'symlink', 'char', 'directory', 'directory', 'fifo'] as const;

function archive(random: Random, place: string): Buffer {
  const pick = <T>(list: readonly T[]): T => list[random.int(list.length)]!;
  const targets = [...names, join(place, 'outside'), '../outside/secret', `/proc/self/root${place}/outside`];
  const parts: Buffer[] = [];
  for (let i = 0; i < 25; i++) {
    const type = pick(types);
    const body = Buffer.from(type === 'file' ? 'data'.repeat(random.int(200)) : '');
    parts.push(encodeEntry(tarEntry(pick(names), type, { size: body.length, linkName: pick(targets), mode: random.int(0o10000), mtime: BigInt(random.int(2 ** 31)) })), body, tarPadding(body.length));
  }
  const data = Buffer.concat(parts);
  if (random.int(3) === 0) for (let i = 0; i < 10; i++) data[random.int(data.length)] = random.int(256);
  return data;
}

/** Unpacks, going on after an entry that is refused; anything but a refusal is thrown. */
function unpack(root: string, data: Buffer): void {
  const writer = new LayerWriter(root, linuxFiles());
  const refused = (error: unknown): void => {
    if (!isFault(error, 'invalid', 'too-large', 'not-implemented')) throw error;
  };
  try {
    for (const event of new TarDecoder().push(data)) {
      try {
        if ('data' in event) writer.data(event.data);
        else if ('entry' in event) writer.begin(event.entry);
        else writer.end();
      } catch (error) {
        refused(error);
      }
    }
    writer.finish();
  } catch (error) {
    refused(error);
  } finally {
    writer.close();
  }
}

onLinuxAsRoot('archives from seeds', () => {
  it('whatever an archive holds, nothing outside is touched and no descriptor stays open', (t) => {
    const place = mkdtempSync(join(tmpdir(), 'seeded-'));
    t.after(() => rmSync(place, { recursive: true, force: true }));
    mkdirSync(join(place, 'outside'));
    writeFileSync(join(place, 'outside/secret'), 'secret');
    unpack(place, Buffer.alloc(0));
    const open = readdirSync('/proc/self/fd').length;
    for (let seed = 0; seed < seeds; seed++) {
      const root = join(place, 'root');
      mkdirSync(root);
      unpack(root, archive(seededRandom(seed), place));
      assert.deepEqual(readdirSync(place), ['outside', 'root'], `seed ${seed}`);
      assert.deepEqual(readdirSync(join(place, 'outside')), ['secret'], `seed ${seed}`);
      assert.equal(readFileSync(join(place, 'outside/secret'), 'utf8'), 'secret', `seed ${seed}`);
      rmSync(root, { recursive: true });
    }
    assert.equal(readdirSync('/proc/self/fd').length, open);
  });
});
