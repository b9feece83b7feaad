import { constants, createReadStream, type Stats } from 'node:fs';
import { chmod, copyFile, lchown, link, lutimes, mkdir, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { extractArchive, type HostFiles } from '#core/snapshots/unpack/extract.ts';
import { Fault, isFault } from '#lib/errors.ts';
import { resolveInRoot } from '#lib/rootfs-path.ts';
import { decompress } from '#lib/tar/decompress.ts';
import { buildLimits } from '../types.ts';
import type { IgnoreRules } from './patterns.ts';
import { statOrNone, walk, type SourceItem, type SourceTree } from './tree.ts';

export interface Placement {
  /** The mounted root file system. */
  root: string;
  /** Absolute path inside; with a `/` at its end, a directory. */
  target: string;
  /** Owner of what is written; the source's where undefined. */
  owner?: { uid: number; gid: number };
  mode?: number;
  exclude?: IgnoreRules;
  files: HostFiles;
}

/** Copies one source item to its place, as COPY does: a directory's content, or a file under its name. */
export async function placeItem(tree: SourceTree, item: SourceItem, placement: Placement): Promise<void> {
  const base = item.stats.isDirectory() ? await makeDirectory(placement, placement.target) : await fileTarget(placement, basename(item.name));
  const links = new Map<string, string>();
  const times: { path: string; stats: Stats }[] = [];
  for await (const entry of walk(tree, item, placement.exclude)) {
    const to = entry.relative === '' ? base : await resolveInRoot(placement.root, join(base.slice(placement.root.length), entry.relative), { followLast: entry.stats.isDirectory() });
    if (entry.stats.isDirectory()) {
      // the target itself is not the source: it keeps what it is, or was made with the usual mode
      if (entry.relative === '') continue;
      await placeDirectory(placement, tree, to, entry.stats);
      times.push({ path: to, stats: entry.stats });
    } else {
      // a rule may have left out the directory and brought back the file
      if (entry.relative !== '') await mkdir(dirname(to), { recursive: true });
      await placeFile(placement, tree, entry.path, to, entry.stats, links);
    }
  }
  for (const { path, stats } of times.reverse()) await lutimes(path, stats.atimeMs / 1000, stats.mtimeMs / 1000);
}

/** Writes a file given in the Dockerfile itself. */
export async function placeInline(name: string, body: string, placement: Placement): Promise<void> {
  const to = await fileTarget(placement, name);
  await rm(to, { force: true });
  await writeFile(to, body, { mode: 0o644 });
  await dress(to, placement.owner ?? { uid: 0, gid: 0 }, placement.mode ?? 0o644);
}

/** Unpacks an archive that ADD names into the target directory; false where it is none. */
export async function placeArchive(item: SourceItem, placement: Placement, signal: AbortSignal): Promise<boolean> {
  if (!item.stats.isFile() || !(await looksLikeArchive(item.path))) return false;
  const target = await makeDirectory(placement, placement.target);
  const { owner } = placement;
  await extractArchive(createReadStream(item.path), target, placement.files, {
    limitBytes: buildLimits.contextBytes,
    limitEntries: buildLimits.contextEntries,
    signal,
    map: owner ? (entry) => ({ ...entry, ...owner }) : undefined,
  });
  return true;
}

const tarBlock = 512;

/** By content: a tar header, once what compresses it is taken off. A file that is merely compressed is none. */
async function looksLikeArchive(path: string): Promise<boolean> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of decompress(createReadStream(path))) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= tarBlock) break;
    }
  } catch (error) {
    // damaged, so it is none; a compression that is not supported is said
    if (isFault(error, 'invalid')) return false;
    throw error;
  }
  return isTarHeader(Buffer.concat(chunks).subarray(0, tarBlock));
}

/** The sum of a header's bytes, its own field taken as blanks, is written in it: the oldest archives have no other mark. */
function isTarHeader(head: Buffer): boolean {
  if (head.length < tarBlock || head[0] === 0) return false;
  const written = parseInt(head.subarray(148, 156).toString('latin1').replace(/\0.*$/, '').trim(), 8);
  let sum = 8 * 0x20;
  for (let i = 0; i < tarBlock; i++) if (i < 148 || i >= 156) sum += head[i] ?? 0;
  return written === sum;
}

/** The directory at an absolute path inside, made (mode 0755, with its parents) where it is missing. */
export async function makeDirectory(placement: Placement, path: string): Promise<string> {
  const parts = path.split('/').filter((p) => p !== '' && p !== '.');
  let here = placement.root;
  for (let i = 0; i < parts.length; i++) {
    here = await resolveInRoot(placement.root, parts.slice(0, i + 1).join('/'));
    const stats = await statOrNone(here);
    if (stats?.isDirectory()) continue;
    if (stats) throw new Fault('invalid', `cannot make the directory ${path}: /${parts.slice(0, i + 1).join('/')} is a file`);
    await mkdir(here, { mode: 0o755 });
    await dress(here, placement.owner ?? { uid: 0, gid: 0 }, 0o755);
  }
  return here;
}

/** Where a single file goes: into a directory if the target is one or says so, else the target itself. */
async function fileTarget(placement: Placement, name: string): Promise<string> {
  const { root, target } = placement;
  const there = await statOrNone(await resolveInRoot(root, target));
  if (target.endsWith('/') || there?.isDirectory()) return join(await makeDirectory(placement, target), name);
  await makeDirectory(placement, dirname(target));
  // a link that the image has at the target is followed, inside the image
  const file = await resolveInRoot(root, target);
  await makeDirectory(placement, dirname(file.slice(root.length)));
  return file;
}

async function placeDirectory(placement: Placement, tree: SourceTree, to: string, stats: Stats): Promise<void> {
  const there = await statOrNone(to);
  if (there && !there.isDirectory()) throw new Fault('invalid', `cannot copy a directory over a file: ${to.slice(placement.root.length)}`);
  if (!there) await mkdir(to, { mode: 0o755, recursive: true });
  await dress(to, ownerOf(placement, tree, stats), stats.mode & 0o7777);
}

async function placeFile(placement: Placement, tree: SourceTree, from: string, to: string, stats: Stats, links: Map<string, string>): Promise<void> {
  const there = await statOrNone(to);
  if (there?.isDirectory()) throw new Fault('invalid', `cannot copy a file over the directory ${to.slice(placement.root.length)}`);
  if (there) await rm(to);
  const inode = `${stats.dev}:${stats.ino}`;
  const earlier = stats.nlink > 1 ? links.get(inode) : undefined;
  if (earlier !== undefined) {
    await link(earlier, to);
    return;
  }
  if (stats.isSymbolicLink()) await symlink(await readlink(from), to);
  else if (stats.isFile()) await copyFile(from, to, constants.COPYFILE_FICLONE);
  else placement.files.makeNode(to, stats.mode, stats.rdev >> 8, stats.rdev & 0xff);
  if (stats.nlink > 1) links.set(inode, to);
  const owner = ownerOf(placement, tree, stats);
  if (stats.isSymbolicLink()) await lchown(to, owner.uid, owner.gid);
  else await dress(to, owner, placement.mode ?? stats.mode & 0o7777);
  if (tree.keepOwners && stats.isFile()) copyXattrs(placement.files, from, to);
  await lutimes(to, stats.atimeMs / 1000, stats.mtimeMs / 1000);
}

function ownerOf(placement: Placement, tree: SourceTree, stats: Stats): { uid: number; gid: number } {
  return placement.owner ?? (tree.keepOwners ? { uid: stats.uid, gid: stats.gid } : { uid: 0, gid: 0 });
}

/** The owner first: changing it clears setuid. */
async function dress(path: string, owner: { uid: number; gid: number }, mode: number): Promise<void> {
  await lchown(path, owner.uid, owner.gid);
  await chmod(path, mode);
}

function copyXattrs(files: HostFiles, from: string, to: string): void {
  for (const name of files.listXattrs(from)) {
    if (name.startsWith('trusted.overlay.') || name === 'security.selinux') continue;
    const value = files.getXattr(from, name);
    if (value) files.setXattr(to, name, value);
  }
}
