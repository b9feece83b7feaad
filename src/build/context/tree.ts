import { createHash, type Hash } from 'node:crypto';
import { createReadStream, type Stats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { basename, join, posix, relative } from 'node:path';
import { Fault, codeOf } from '#lib/errors.ts';
import { resolveInRoot } from '#lib/rootfs-path.ts';
import { globExpression, hasGlob, type IgnoreRules } from './patterns.ts';

/** A file tree to copy from: the build context, a stage, an image. */
export interface SourceTree {
  root: string;
  /** Paths left out, relative to the root. */
  ignore?: IgnoreRules;
  /** Whether files keep their owners (stages and images) or become root's (the context). */
  keepOwners: boolean;
  /** What `--from` names, where it is no context. */
  from?: string;
}

/** One thing that COPY names, found. */
export interface SourceItem {
  /** Host path, links resolved inside the tree. */
  path: string;
  /** Its name in the Dockerfile, relative to the tree's root. */
  name: string;
  stats: Stats;
}

/** What a COPY source names in the tree: the path, or what its pattern matches. Fault `invalid` for nothing. */
export async function findSources(tree: SourceTree, source: string): Promise<SourceItem[]> {
  const wanted = posix.normalize(`/${source}`).slice(1).replace(/\/$/, '');
  const names = hasGlob(wanted) ? await glob(tree, wanted) : [wanted];
  const found: SourceItem[] = [];
  for (const name of names) {
    if (name !== '' && tree.ignore?.ignores(name)) {
      const stats = await statOrNone(await resolveInRoot(tree.root, name));
      // a directory that is left out may hold files that a later rule brings back
      if (!stats?.isDirectory()) continue;
    }
    const path = await resolveInRoot(tree.root, name);
    const stats = await statOrNone(path);
    if (stats) found.push({ path, name, stats });
  }
  if (found.length > 0) return found;
  if (hasGlob(wanted)) throw new Fault('invalid', `COPY failed: no source files were specified: nothing matches ${source}`);
  const problem = tree.from === undefined ? 'COPY failed: file not found in build context or excluded by .dockerignore' : `COPY failed: not found in ${tree.from}`;
  throw new Fault('invalid', `${problem}: stat ${wanted}: file does not exist`);
}

async function glob(tree: SourceTree, pattern: string): Promise<string[]> {
  let found = [''];
  for (const part of pattern.split('/')) {
    const expression = globExpression(part);
    const next: string[] = [];
    for (const base of found) {
      if (!hasGlob(part)) {
        const name = base === '' ? part : `${base}/${part}`;
        if (await statOrNone(await resolveInRoot(tree.root, name))) next.push(name);
        continue;
      }
      const directory = await resolveInRoot(tree.root, base);
      if (!(await statOrNone(directory))?.isDirectory()) continue;
      const names = (await readdir(directory)).filter((n) => expression.test(n)).sort();
      next.push(...names.map((n) => (base === '' ? n : `${base}/${n}`)));
    }
    found = next;
  }
  return found;
}

/** What is at a path, links not followed; undefined where nothing is. */
export async function statOrNone(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** An entry below a source item; `relative` is '' for the item itself. */
export interface TreeEntry {
  path: string;
  relative: string;
  stats: Stats;
}

/** The item and all below it, parents first, in byte order, without what the rules leave out. */
export async function* walk(tree: SourceTree, item: SourceItem, exclude?: IgnoreRules): AsyncGenerator<TreeEntry> {
  if (!item.stats.isDirectory()) {
    if (!exclude?.ignores(basename(item.name))) yield { path: item.path, relative: '', stats: item.stats };
    return;
  }
  yield { path: item.path, relative: '', stats: item.stats };
  const pending = [item.path];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const children: string[] = [];
    for (const name of (await readdir(directory)).sort()) {
      const path = join(directory, name);
      const inTree = relative(tree.root, path);
      const inItem = relative(item.path, path);
      const stats = await lstat(path);
      const out = (tree.ignore?.ignores(inTree) ?? false) || (exclude?.ignores(inItem) ?? false);
      if (stats.isDirectory()) children.push(path);
      if (!out) yield { path, relative: inItem, stats };
    }
    pending.push(...children.reverse());
  }
}

/**
 * The digest of what a source item holds, as far as an image can tell: names, types, modes, owners where they are
 * kept, link targets, contents; not times.
 */
export async function contentDigest(tree: SourceTree, item: SourceItem, exclude?: IgnoreRules): Promise<string> {
  const hash = createHash('sha256');
  for await (const entry of walk(tree, item, exclude)) {
    const { stats } = entry;
    const owner = tree.keepOwners ? `${stats.uid}:${stats.gid}` : '';
    hash.update(`${JSON.stringify(entry.relative)} ${stats.mode.toString(8)} ${owner} `);
    if (stats.isFile()) {
      hash.update(`${stats.size} `);
      await hashFile(hash, entry.path, stats.size);
    } else if (stats.isSymbolicLink()) hash.update(JSON.stringify(await readlink(entry.path)));
    else if (stats.isCharacterDevice() || stats.isBlockDevice()) hash.update(String(stats.rdev));
    hash.update('\n');
  }
  return hash.digest('hex');
}

async function hashFile(hash: Hash, path: string, size: number): Promise<void> {
  if (size === 0) return;
  for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 })) hash.update(chunk as Buffer);
}
