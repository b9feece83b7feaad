import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { extractArchive } from '#core/snapshots/unpack/extract.ts';
import { Fault, codeOf } from '#lib/errors.ts';
import { resolveInRoot } from '#lib/rootfs-path.ts';
import { buildLimits, type BuildFiles } from '../types.ts';
import { IgnoreRules } from './patterns.ts';
import type { SourceTree } from './tree.ts';

export interface Context {
  tree: SourceTree;
  dockerfile: string;
  remove(): Promise<void>;
}

/** Receives the client's tar below `directory`, as root's files, and reads the Dockerfile and the ignore rules. */
export async function receiveContext(archive: Readable, directory: string, dockerfile: string, files: BuildFiles, signal: AbortSignal): Promise<Context> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const remove = (): Promise<void> => rm(directory, { recursive: true, force: true });
  try {
    await extractArchive(archive, directory, files, {
      limitBytes: buildLimits.contextBytes,
      limitEntries: buildLimits.contextEntries,
      signal,
      map: (entry) => ({ ...entry, uid: 0, gid: 0 }),
    });
    const text = await readInContext(directory, dockerfile);
    if (text === undefined) {
      throw new Fault('invalid', `Cannot locate specified Dockerfile: ${dockerfile}: it is not in the build context; name it with -f`);
    }
    const ignored = (await readInContext(directory, `${dockerfile}.dockerignore`)) ?? (await readInContext(directory, '.dockerignore'));
    const ignore = ignored === undefined ? undefined : IgnoreRules.parse(ignored);
    return { tree: { root: directory, ignore, keepOwners: false }, dockerfile: text, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function readInContext(root: string, path: string): Promise<string | undefined> {
  try {
    return await readFile(await resolveInRoot(root, path), 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes(codeOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** A context directory of its own for each build. */
export function contextDirectory(root: string, id: string): string {
  return join(root, 'contexts', id);
}
