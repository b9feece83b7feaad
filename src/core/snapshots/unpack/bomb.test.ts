import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { isFault } from '#lib/errors.ts';
import { tarEntry } from '#lib/tar/types.ts';
import { encodeEntry } from '#lib/tar/write.ts';
import { linuxFiles } from '#sys/fs/linux.ts';
import { linuxMounts } from '#sys/mount/linux.ts';
import { onLinuxAsRoot } from '#sys/testing.ts';
import { extractArchive } from './extract.ts';

const mebibyte = 1024 ** 2;

onLinuxAsRoot('archives that grow', () => {
  it('a few bytes that unpack to more than the disk are refused before it is full, in little memory', async (t) => {
    const place = mkdtempSync(join(tmpdir(), 'bomb-'));
    const mounts = linuxMounts();
    const root = join(place, 'disk');
    mkdirSync(root);
    mounts.mount('tmpfs', root, 'tmpfs', ['size=64m']);
    t.after(() => {
      mounts.unmountTree(place);
      rmSync(place, { recursive: true, force: true });
    });
    // gzip allows members one after another: 1 TiB of zeros are made from one piece of 16 MiB
    const piece = gzipSync(Buffer.alloc(16 * mebibyte));
    let pieces = 0;
    async function* bomb(): AsyncGenerator<Buffer> {
      yield gzipSync(encodeEntry(tarEntry('zeros', 'file', { size: 1024 ** 4 })));
      for (; pieces < 65536; pieces++) yield await Promise.resolve(piece);
    }
    const before = process.memoryUsage().rss;
    await assert.rejects(extractArchive(bomb(), root, linuxFiles(), { limitBytes: 2 ** 50, limitEntries: 10 }), (error) => isFault(error, 'exhausted') && /less than 3\.2 MiB of the disk are free/.test(error.message));
    assert.ok(linuxFiles().space(root).free > 0, 'others have room yet');
    assert.ok(pieces < 64, `${pieces} pieces were taken`);
    assert.ok(process.memoryUsage().rss - before < 200 * mebibyte);
  });
});
