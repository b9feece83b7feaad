import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isFault } from '../errors.ts';
import { encodeHeader } from './header.ts';
import type { TarSource } from './write.ts';
import { encodePax } from './pax.ts';
import { encodeTar, tarPadding } from './write.ts';
import { readTar } from './read.ts';
import { tarEntry } from './types.ts';
import type { TarEntry } from './types.ts';

async function pack(members: TarSource[]): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of encodeTar(members)) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

async function* inPieces(data: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

async function unpack(data: Buffer, piece = 64 * 1024): Promise<{ entry: TarEntry; body: string }[]> {
  const found: { entry: TarEntry; body: string }[] = [];
  for await (const member of readTar(inPieces(data, piece))) {
    found.push({ entry: member.entry, body: (await member.read(1 << 20)).toString() });
  }
  return found;
}

const capability = Buffer.from('0100000200040000000000000a00ff3d00000000', 'hex');
const long = `${'directory/'.repeat(30)}name-é`;
const members: TarSource[] = [
  { entry: tarEntry('bin', 'directory', { mode: 0o1777, mtime: 1_700_000_000_123_456_789n }) },
  { entry: tarEntry('bin/su', 'file', { mode: 0o4755, size: 5, xattrs: new Map([['security.capability', capability]]) }), body: Buffer.from('hello') },
  { entry: tarEntry('bin/su2', 'link', { linkName: 'bin/su' }) },
  { entry: tarEntry(long, 'file', { size: 600, uid: 3_000_000, gid: 4_000_000 }), body: Buffer.alloc(600, 'x') },
  { entry: tarEntry('ln', 'symlink', { linkName: long }) },
  { entry: tarEntry('dev/null', 'char', { devMajor: 1, devMinor: 3, mode: 0o666 }) },
  { entry: tarEntry('old', 'file', { mtime: -1_500_000_000n }) },
];

test('what is written is read back the same, whatever the size of the pieces', async () => {
  const archive = await pack(members);
  for (const piece of [1, 511, 513, 100_000]) {
    const found = await unpack(archive, piece);
    assert.deepEqual(
      found.map((f) => ({ ...f.entry, name: f.entry.name.replace(/\/$/, '') })),
      members.map((m) => m.entry),
    );
    assert.equal(found[1]!.body, 'hello');
    assert.equal(found[3]!.body, 'x'.repeat(600));
  }
  assert.deepEqual(await pack(members), archive, 'the same members give the same bytes');
});

test('GNU tar reads what is written, and its own formats are read', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'tar-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, 'ours.tar'), await pack(members));
  const listing = execFileSync('tar', ['-tvf', join(dir, 'ours.tar'), '--numeric-owner', '--utc'], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C.UTF-8' } });
  assert.match(listing, /drwxrwxrwt 0\/0 +0 2023-11-14 22:13 bin\//);
  assert.match(listing, /-rwsr-xr-x .* bin\/su\n/);
  assert.match(listing, /3000000\/4000000 +600 /);
  const deep = join(dir, 'in', ...Array.from({ length: 12 }, () => 'é-directory'));
  mkdirSync(deep, { recursive: true });
  writeFileSync(join(deep, 'file'), 'body');
  for (const format of ['gnu', 'pax', 'oldgnu']) {
    const archive = execFileSync('tar', ['-C', join(dir, 'in'), `--format=${format}`, '-c', '.']);
    const last = (await unpack(archive)).at(-1)!;
    assert.equal(last.entry.name, `./${'é-directory/'.repeat(12)}file`, format);
    assert.equal(last.body, 'body');
  }
});

test('a damaged, sparse, cut or oversized archive is refused by name', async (t) => {
  const archive = await pack(members);
  const damaged = Buffer.from(archive);
  damaged[4] = 0x7a;
  const header = { name: 'f', mode: 0, uid: 0, gid: 0, size: 0, mtime: 0, flag: 'S', linkName: '', userName: '', groupName: '', devMajor: 0, devMinor: 0 };
  // none is too long: only together they are
  const globals = Buffer.concat(['a', 'b', 'c'].flatMap((name) => {
    const data = encodePax(new Map([[`SCHILY.xattr.user.${name}`, Buffer.alloc(500_000)]]));
    return [encodeHeader({ ...header, flag: 'g', size: data.length }), data, tarPadding(data.length)];
  }));
  const cases: [string, Buffer, RegExp][] = [
    ['checksum', damaged.subarray(0, 512 * 3), /checksum/],
    ['cut', archive.subarray(0, 512 * 4), /truncated/],
    ['sparse', encodeHeader(header), /"f" is a sparse file/],
    ['unknown type', encodeHeader({ ...header, flag: 'Z' }), /unknown type "Z"/],
    ['extension', encodeHeader({ ...header, flag: 'x', size: 2 << 20 }), /over the limit/],
    ['global headers', globals, /the global headers hold \d+ bytes, over the limit/],
    ['no archive', Buffer.from('this is text '.repeat(80)), /no tar archive/],
  ];
  for (const [name, data, message] of cases) {
    await t.test(name, () => assert.rejects(unpack(data), (error) => isFault(error) && message.test(error.message)));
  }
});

test('a body that is not of the announced size fails the writer', async () => {
  await assert.rejects(pack([{ entry: tarEntry('f', 'file', { size: 9 }), body: Buffer.from('abc') }]), /"f" changed its size/);
});
