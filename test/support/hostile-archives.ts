/**
 * Archives that try to get out of where they are unpacked, each in one known way, and mutations of archives under a seed.
 * What they would plant outside is called `planted`.
 */
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { Random } from '#lib/random.ts';
import { encodeHeader } from '#lib/tar/header.ts';
import type { RawHeader } from '#lib/tar/header.ts';
import { encodePax } from '#lib/tar/pax.ts';
import { tarEntry } from '#lib/tar/types.ts';
import type { TarEntry, TarEntryType } from '#lib/tar/types.ts';
import { encodeEntry, tarEnd, tarPadding } from '#lib/tar/write.ts';

export interface HostileArchive {
  name: string;
  data: Buffer;
  /** What every way in says of it; absent where it may be taken, as long as it stays inside. */
  refused?: RegExp;
}

const text = Buffer.from('planted');

function entry(name: string, type: TarEntryType = 'file', fields: Partial<TarEntry> = {}): Buffer {
  if (type !== 'file') return encodeEntry(tarEntry(name, type, fields));
  return Buffer.concat([encodeEntry(tarEntry(name, type, { size: text.length, ...fields })), text, tarPadding(text.length)]);
}

/** A member as it is written, with fields that no honest writer gives. */
function raw(fields: Partial<RawHeader>, body: Buffer = Buffer.alloc(0)): Buffer {
  const header = encodeHeader({
    name: 'planted', mode: 0o644, uid: 0, gid: 0, size: body.length, mtime: 0, flag: '0', linkName: '', userName: '', groupName: '', devMajor: 0, devMinor: 0, ...fields,
  });
  return Buffer.concat([header, body, tarPadding(body.length)]);
}

/** A header's field overwritten, its checksum made right again. */
function patched(member: Buffer, at: number, bytes: readonly number[]): Buffer {
  const block = Buffer.from(member);
  block.set(bytes, at);
  block.fill(0x20, 148, 156);
  const sum = block.subarray(0, 512).reduce((all, byte) => all + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function pax(records: Readonly<Record<string, string | Buffer>>, flag: 'x' | 'g' = 'x'): Buffer {
  return raw({ name: 'PaxHeaders/x', flag }, encodePax(new Map(Object.entries(records).map(([key, value]) => [key, Buffer.from(value)]))));
}

const long = (flag: 'L' | 'K', value: string): Buffer => raw({ name: '././@LongLink', flag }, Buffer.from(`${value}\0`));
const numberAt = { uid: 108, gid: 116, size: 124, mtime: 136, major: 329 } as const;

/** `outside` is an absolute path to a directory that holds `secret`. */
export function hostileArchives(outside: string): HostileArchive[] {
  const up = '../'.repeat(20);
  const ways: [name: string, members: readonly Buffer[], refused?: RegExp][] = [
    ['.. in a name', [entry(`${up}${outside}/planted`)]],
    ['.. amid a name', [entry('a', 'directory'), entry(`a/../../..${outside}/planted`)]],
    ['an absolute name', [entry(`${outside}/planted`)]],
    ['a directory of the name ..', [entry('..', 'directory', { mode: 0o777 })]],
    ['a symbolic link, then through it', [entry('d', 'symlink', { linkName: outside }), entry('d/planted')]],
    ['a relative symbolic link, then through it', [entry('d', 'symlink', { linkName: `${up}${outside}` }), entry('d/planted')]],
    ['links one through the other', [entry('a', 'symlink', { linkName: '..' }), entry('b', 'symlink', { linkName: `a/${up}` }), entry(`b${outside}/planted`)]],
    ['a link by /proc', [entry('d', 'symlink', { linkName: `/proc/self/root${outside}` }), entry('d/planted')]],
    ['a link by /proc/self/cwd', [entry('d', 'symlink', { linkName: '/proc/self/cwd' }), entry('d/planted')]],
    ['a file in the place of a link', [entry('f', 'symlink', { linkName: `${outside}/secret` }), entry('f')]],
    ['a directory in the place of a link', [entry('d', 'symlink', { linkName: outside }), entry('d', 'directory', { mode: 0o777, uid: 7 }), entry('d/planted')]],
    ['a hard link to outside', [entry('f', 'link', { linkName: `${outside}/secret` }), entry('f')], /which the layer does not have/],
    ['a hard link with ..', [entry('f', 'link', { linkName: `${up}${outside}/secret` })]],
    ['a hard link through a symbolic one', [entry('d', 'symlink', { linkName: outside }), entry('f', 'link', { linkName: 'd/secret' }), entry('f')], /which the layer does not have/],
    ['a hard link to a symbolic one', [entry('s', 'symlink', { linkName: `${outside}/secret` }), entry('f', 'link', { linkName: 's' }), entry('f', 'file', { mode: 0o4777 })]],
    ['a hard link to a directory', [entry('d', 'directory'), entry('f', 'link', { linkName: 'd' })], /which the layer does not have/],
    ['a hard link to itself', [entry('f'), entry('f', 'link', { linkName: 'f' })]],
    ['a hard link over what holds its target', [entry('a/b'), entry('a', 'link', { linkName: 'a/b' })]],
    ['a directory swapped for a link', [entry('a', 'directory'), entry('a', 'symlink', { linkName: outside }), entry('a/planted')]],
    ['an inner directory swapped for a link', [entry('a/b/c'), entry('a/b', 'symlink', { linkName: outside }), entry('a/b/planted')]],
    ['a link swapped for a directory and back', [entry('a', 'symlink', { linkName: outside }), entry('a', 'directory'), entry('a', 'symlink', { linkName: outside }), entry('a/planted')]],
    ['types that change', (['fifo', 'directory', 'symlink', 'char', 'link', 'block', 'file', 'fifo'] as const).map((type) => entry('t', type, { linkName: type === 'link' ? 't' : outside }))],
    ['a fifo, then a file of its name', [entry('p', 'fifo'), entry('p')]],
    ['a device, then through it', [entry('n', 'char', { devMajor: 1, devMinor: 3 }), entry('n/planted')], /is not a directory|ENOTDIR/],
    ['a circle of links', [entry('a', 'symlink', { linkName: 'b' }), entry('b', 'symlink', { linkName: 'a' }), entry('a/planted')], /cannot be entered \(ELOOP\)/],
    ['a pax path', [pax({ path: `${up}${outside}/planted` }), entry('innocent')]],
    ['a pax path for all members', [pax({ path: `${outside}/planted` }, 'g'), entry('innocent'), entry('other')]],
    ['a pax link path', [pax({ linkpath: outside }), entry('d', 'symlink', { linkName: 'innocent' }), entry('d/planted')]],
    ['a pax path with a zero byte', [pax({ path: 'a\0b' }), entry('innocent')], /holds a zero byte/],
    ['a pax size beyond the end', [pax({ size: '99999999999' }), entry('f')], /truncated/],
    ['a pax size below nothing', [pax({ size: '-1' }), entry('f')], /invalid size "-1" in a PAX header/],
    ['pax records that lie about their length', [raw({ flag: 'x' }, Buffer.from('99 path=x\n'))], /malformed PAX header/],
    ['pax records without a length', [raw({ flag: 'x' }, Buffer.from('path=x\n'))], /malformed PAX header/],
    ['a pax record of no length', [raw({ flag: 'x' }, Buffer.from('0 path=x\n'))], /malformed PAX header/],
    ['a pax header over the limit', [raw({ flag: 'x', size: 64 << 20 })], /over the limit of 1048576/],
    ['a GNU long name', [long('L', `${up}${outside}/planted`), entry('innocent')]],
    ['a GNU long link', [long('K', outside), entry('d', 'symlink', { linkName: 'innocent' }), entry('d/planted')]],
    ['a GNU sparse file', [raw({ flag: 'S' })], /is a sparse file, which is not supported/],
    ['a pax sparse file', [pax({ 'GNU.sparse.major': '1', 'GNU.sparse.name': `${outside}/planted` }), entry('f')], /is a sparse file, which is not supported/],
    ['a member of no known type', [raw({ flag: 'Z' })], /a member of unknown type "Z"/],
    ['extension headers without a member', [long('L', 'a'), pax({ path: 'b' }), long('K', 'c')]],
    ['a whiteout of the parent', [entry('.wh...')]],
    ['a whiteout of the directory itself', [entry('.wh..')]],
    ['a whiteout of nothing', [entry('.wh.')]],
    ['a whiteout through a link', [entry('d', 'symlink', { linkName: outside }), entry('d/.wh.secret')]],
    ['an opaque mark through a link', [entry('d', 'symlink', { linkName: outside }), entry('d/.wh..wh..opq')]],
    ['an opaque mark on the root', [entry('.wh..wh..opq')]],
    ["aufs' own names", [entry('.wh..wh.plnk/1.2'), entry('.wh..wh.aufs')]],
    ["overlayfs' own attributes", [entry('d', 'directory', { xattrs: new Map([['trusted.overlay.redirect', Buffer.from(outside)], ['trusted.overlay.opaque', Buffer.from('y')]]) }), entry('d/f', 'file', { xattrs: new Map([['trusted.overlay.metacopy', Buffer.alloc(0)]]) })]],
    ['an attribute that no file can have', [entry('f', 'file', { xattrs: new Map([['no-such-name-space.x', Buffer.from('y')]]) })], /cannot be made \(EOPNOTSUPP\)|attribute/],
    ['the same name again and again', Array.from({ length: 40 }, () => entry('f'))],
    ['no name', [raw({ name: '' })]],
    ['the root as a file', [raw({ name: './' }), entry('.', 'symlink', { linkName: outside })], /its root is a/],
    ['a component that is too long', [entry('x'.repeat(300))], /ENAMETOOLONG/],
    ['a path that is too long', [entry('d/'.repeat(2500))], /over the limit of 4096 bytes/],
    ['a name that is not UTF-8', [patched(entry('aaaa'), 0, [0xff, 0xfe])], /is not valid UTF-8/],
    ['a link without a target', [entry('s', 'symlink')], /has no target/],
    ['a size below nothing', [patched(entry('f'), numberAt.size, Array.from({ length: 12 }, () => 0xff))], /invalid number in a header/],
    ['a size beyond all disks', [patched(entry('f'), numberAt.size, [0x80, 0, 0, 0, 0x7f, ...Array.from({ length: 7 }, () => 0xff)])], /invalid number in a header|truncated/],
    ['a size that is no number', [patched(entry('f'), numberAt.size, [...Buffer.from('0000zz000000')])], /invalid number in a header/],
    ['a user below nothing', [patched(entry('f'), numberAt.uid, Array.from({ length: 8 }, () => 0xff))], /invalid number in a header/],
    ['a user beyond 32 bits', [patched(entry('f'), numberAt.uid, [0x80, 0, 0, 1, 0, 0, 0, 0])], /owner 4294967296:0 is beyond what Linux has/],
    ['the user that means none', [pax({ uid: '4294967295' }), entry('f')], /owner 4294967295:0 is beyond what Linux has/],
    ['a time beyond all clocks', [pax({ mtime: '999999999999999999' }), entry('f'), entry('d', 'directory')]],
    ['a time before all clocks', [pax({ mtime: '-999999999999999999.999999999' }), entry('f')]],
    ['a time that is none', [pax({ mtime: '1e9' }), entry('f')], /invalid time "1e9" in a PAX header/],
    ['a time of twelve bytes', [patched(entry('f'), numberAt.mtime, [0x80, 0x7f, ...Array.from({ length: 10 }, () => 0xff)])], /invalid number in a header/],
    ['a device beyond all numbers', [patched(entry('n', 'char'), numberAt.major, [0x80, 0, 0, 1, 0, 0, 0, 0])], /device 4294967296:0 is beyond what Linux has/],
    ['an archive cut amid a header', [entry('f').subarray(0, 200)], /truncated|no tar archive|neither manifest|content has digest/],
    ['an archive cut amid a body', [entry('f').subarray(0, 514)], /truncated/],
  ];
  const made = ways.map(([name, members, refused]): HostileArchive => ({ name, data: Buffer.concat([...members, ...(name.startsWith('an archive cut') ? [] : [tarEnd])]), refused }));
  const good = Buffer.concat([entry('f'), tarEnd]);
  return [
    ...made,
    { name: 'bytes after its end', data: Buffer.concat([good, Buffer.alloc(2048, 0x7e), entry(`${outside}/planted`)]) },
    { name: 'a gzip stream cut short', data: gzipSync(good).subarray(0, 60), refused: /damaged gzip data/ },
    { name: 'a gzip stream with bytes after it', data: Buffer.concat([gzipSync(good), Buffer.from('garbage')]) },
    { name: 'a zstd stream cut short', data: zstdCompressSync(good).subarray(0, 30), refused: /damaged zstd data|truncated/ },
    { name: 'a gzip header alone', data: Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]), refused: /damaged gzip data/ },
    { name: 'xz', data: Buffer.concat([Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), Buffer.alloc(600)]), refused: /xz compression is not supported/ },
  ];
}

/** An archive of a few hostile members, picked by the seed, and then damaged. */
export function mutant(random: Random, outside: string): Buffer {
  const corpus = hostileArchives(outside).map((archive) => archive.data);
  const pick = <T>(list: readonly T[]): T => list[random.int(list.length)] as T;
  const parts = Array.from({ length: 1 + random.int(6) }, () => {
    const data = pick(corpus);
    return random.int(3) === 0 ? data : withoutEnd(data);
  });
  let data: Buffer = Buffer.concat([...parts, tarEnd]);
  for (let i = random.int(4); i > 0; i--) data = damaged(random, data, pick(corpus));
  if (random.int(8) === 0) data = gzipSync(data, { level: 1 });
  if (random.int(20) === 0) for (let i = 0; i < 8; i++) data[random.int(data.length)] = random.int(256);
  return data;
}

function withoutEnd(data: Buffer): Buffer {
  let end = data.length;
  while (end >= 512 && data.subarray(end - 512, end).every((byte) => byte === 0)) end -= 512;
  return data.subarray(0, end);
}

/** One change: bytes of a header (its checksum made right again), a block doubled, dropped or brought from elsewhere, a cut. */
function damaged(random: Random, data: Buffer, other: Buffer): Buffer {
  const blocks = Math.floor(data.length / 512);
  const at = random.int(Math.max(1, blocks)) * 512;
  switch (random.int(7)) {
    case 0:
    case 1:
    case 2: {
      if (data.length < 512) return data;
      const changed = patched(data.subarray(at, at + 512), random.int(500), [random.int(256)]);
      return Buffer.concat([data.subarray(0, at), changed, data.subarray(at + 512)]);
    }
    case 3:
      return Buffer.concat([data.subarray(0, at), data.subarray(Math.max(0, at - 512), at), data.subarray(at)]);
    case 4:
      return Buffer.concat([data.subarray(0, at), data.subarray(at + 512)]);
    case 5:
      return Buffer.concat([data.subarray(0, at), other.subarray(0, 512), data.subarray(at)]);
    default:
      return Buffer.from(data.subarray(0, 1 + random.int(data.length)));
  }
}
