import { constants, type Stats } from 'node:fs';
import { chmod, copyFile, lchown, link, lstat, lutimes, mkdir, readdir, readlink, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { majorOf, minorOf } from '#lib/device-number.ts';
import { goneIsFine } from '#lib/errors.ts';
import type { Files } from '#sys/fs/types.ts';

/** Copies a tree with owners, modes, times, hard links, devices and extended attributes. `to` exists and is empty. */
export async function copyTree(from: string, to: string, files: Files): Promise<void> {
  await copyInto(from, to, files, new Map());
  await dress(from, to, await lstat(from), files);
}

async function copyInto(from: string, to: string, files: Files, links: Map<string, string>): Promise<void> {
  for (const name of await readdir(from)) {
    const source = join(from, name);
    const target = join(to, name);
    const stats = await lstat(source);
    const inode = `${stats.dev}:${stats.ino}`;
    const earlier = stats.isDirectory() ? undefined : links.get(inode);
    if (earlier !== undefined) {
      await link(earlier, target);
      continue;
    }
    await make(source, target, stats, files);
    if (stats.isDirectory()) await copyInto(source, target, files, links);
    else if (stats.nlink > 1) links.set(inode, target);
    await dress(source, target, stats, files);
  }
}

async function make(source: string, target: string, stats: Stats, files: Files): Promise<void> {
  if (stats.isDirectory()) await mkdir(target, { mode: 0o700 });
  else if (stats.isSymbolicLink()) await symlink(await readlink(source), target);
  else if (stats.isFile()) await copyFile(source, target, constants.COPYFILE_FICLONE);
  else if (!stats.isSocket()) files.makeNode(target, stats.mode, majorOf(stats.rdev), minorOf(stats.rdev));
}

/** The owner before the mode: changing it clears setuid. */
async function dress(source: string, target: string, stats: Stats, files: Files): Promise<void> {
  if (stats.isSocket()) return;
  await lchown(target, stats.uid, stats.gid);
  if (!stats.isSymbolicLink()) await chmod(target, stats.mode & 0o7777);
  if (stats.isFile() || stats.isDirectory()) {
    for (const name of files.listXattrs(source)) {
      const value = name.startsWith('trusted.overlay.') ? undefined : files.getXattr(source, name);
      if (value) files.setXattr(target, name, value);
    }
  }
  await lutimes(target, stats.atimeMs / 1000, stats.mtimeMs / 1000);
}

/** Bytes on disk of a tree, of which things may go meanwhile. */
export async function treeBytes(root: string): Promise<number> {
  let bytes = 0;
  const pending = [root];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    for (const entry of await readdir(directory, { withFileTypes: true }).catch(goneIsFine) ?? []) {
      const path = join(directory, entry.name);
      const stats = await lstat(path).catch(goneIsFine);
      if (entry.isDirectory()) pending.push(path);
      bytes += (stats?.blocks ?? 0) * 512;
    }
  }
  return bytes;
}
