import { createHash } from 'node:crypto';
import { mkdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { resolveUser } from '#core/containers/user.ts';
import type { HostFiles } from '#core/snapshots/unpack/extract.ts';
import { Fault } from '#lib/errors.ts';
import { resolveInRoot } from '#lib/rootfs-path.ts';
import { IgnoreRules } from '../context/patterns.ts';
import { makeDirectory, placeArchive, placeInline, placeItem, type Placement } from '../context/place.ts';
import { contentDigest, findSources, type SourceItem, type SourceTree } from '../context/tree.ts';
import type { CopyChange } from '../dockerfile/types.ts';
import { downloadTo } from './download.ts';

/** What a COPY or ADD brings, found before anything is written: its digests make the cache key. */
export interface CopyPlan {
  change: CopyChange;
  items: { tree: SourceTree; item: SourceItem; archive: boolean }[];
  digests: string[];
  exclude?: IgnoreRules;
}

export async function planCopy(change: CopyChange, tree: SourceTree, downloads: string, signal: AbortSignal): Promise<CopyPlan> {
  const exclude = change.exclude.length > 0 ? new IgnoreRules(change.exclude) : undefined;
  const plan: CopyPlan = { change, items: [], digests: change.inline.map((i) => `${i.name}\n${i.body}`), exclude };
  for (const source of change.sources) {
    const remote = change.add && /^https?:\/\//i.test(source);
    const from = remote ? await download(source, downloads, change, signal) : tree;
    const wanted = remote ? basename(new URL(source).pathname) || 'index' : source;
    for (const item of await findSources(from, wanted)) {
      plan.items.push({ tree: from, item, archive: change.add && !remote });
      plan.digests.push(`${item.stats.isDirectory() ? '' : basename(item.name)} ${await contentDigest(from, item, exclude)}`);
    }
  }
  if (plan.items.length > 1 && !change.target.endsWith('/') && !(change.target === '/')) {
    const keyword = change.add ? 'ADD' : 'COPY';
    throw new Fault('invalid', `When using ${keyword} with more than one source file, the destination must be a directory and end with a /`);
  }
  return plan;
}

/** Fetches what ADD names by URL: a tree of one file, mode 0600. */
async function download(url: string, directory: string, change: CopyChange, signal: AbortSignal): Promise<SourceTree> {
  const name = basename(new URL(url).pathname) || 'index';
  const place = join(directory, createHash('sha256').update(url).digest('hex'));
  await rm(place, { recursive: true, force: true });
  await mkdir(place, { recursive: true });
  const digest = await downloadTo(url, join(place, name), signal);
  if (change.checksum !== undefined && change.checksum !== digest) {
    throw new Fault('invalid', `ADD failed: digest mismatch of ${url}: it is ${digest}, and --checksum says ${change.checksum}`);
  }
  return { root: place, keepOwners: false };
}

/** The sources by their content, as history tells of them: `file:<digest>`, `dir:<digest>`, `multi:<digest>`. */
export function describeSources(plan: CopyPlan): string {
  const [digest = '', ...more] = plan.digests;
  if (more.length > 0) return `multi:${createHash('sha256').update(plan.digests.join('\n')).digest('hex')}`;
  const directory = plan.items[0]?.item.stats.isDirectory() === true;
  return `${directory ? 'dir' : 'file'}:${createHash('sha256').update(digest).digest('hex')}`;
}

/** Writes what was planned into the mounted root file system. */
export async function performCopy(plan: CopyPlan, root: string, files: HostFiles, signal: AbortSignal): Promise<void> {
  const { change } = plan;
  const owner = change.chown === undefined ? undefined : ownerOf(files, root, change.chown);
  const placement: Placement = { root, target: change.target, owner, mode: change.chmod, exclude: plan.exclude, files };
  for (const { tree, item, archive } of plan.items) {
    if (archive && (await placeArchive(item, placement, signal))) continue;
    await placeItem(tree, item, placement);
  }
  for (const { name, body } of change.inline) await placeInline(name, body, placement);
}

/** The group of a bare name is the user's own; that of a bare number is the same number (Dockerfile reference, COPY --chown). */
function ownerOf(files: HostFiles, root: string, chown: string): { uid: number; gid: number } {
  const { uid, gid } = resolveUser(files, root, chown);
  return { uid, gid: /^\d+$/.test(chown) ? uid : gid };
}

/** Whether the working directory is still to be made. */
export async function needsDirectory(root: string, path: string): Promise<boolean> {
  const stats = await stat(await resolveInRoot(root, path)).catch(() => undefined);
  if (stats && !stats.isDirectory()) throw new Fault('invalid', `WORKDIR ${path}: it is a file in the image; name a directory`);
  return stats === undefined;
}

export async function performWorkdir(root: string, path: string, user: string, files: HostFiles): Promise<void> {
  const owner = user === '' ? undefined : resolveUser(files, root, user);
  await makeDirectory({ root, target: path, owner, files }, path);
}
