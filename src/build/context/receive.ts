import { isUtf8 } from 'node:buffer';
import { lstat, mkdir, readFile, rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { extractArchive, type HostFiles } from '#core/snapshots/unpack/extract.ts';
import { Fault, codeOf } from '#lib/errors.ts';
import { resolveInRoot } from '#lib/rootfs-path.ts';
import { dockerfileLimit } from '../dockerfile/parse.ts';
import { buildLimits } from '../types.ts';
import { IgnoreRules } from './patterns.ts';
import type { SourceTree } from './tree.ts';

export interface Context {
  tree: SourceTree;
  dockerfile: string;
  remove(): Promise<void>;
}

/** Receives the client's tar below `directory`, as root's files, and reads the Dockerfile and the ignore rules. */
export async function receiveContext(archive: Readable, directory: string, dockerfile: string, files: HostFiles, signal: AbortSignal): Promise<Context> {
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
    const place = await resolveInRoot(root, path);
    const { size } = await lstat(place).then((stats) => (stats.isFile() ? stats : { size: -1 }));
    // a pipe or a device would be waited for
    if (size < 0) return undefined;
    if (size > dockerfileLimit) throw new Fault('too-large', `${path} is longer than ${dockerfileLimit} bytes`);
    return textOf(await readFile(place), path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes(codeOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** Comments may be in any encoding; what is not UTF-8 elsewhere would be changed silently. */
function textOf(bytes: Buffer, path: string): string {
  const text = bytes.toString('utf8');
  if (isUtf8(bytes)) return text;
  const line = text.split('\n').findIndex((l) => l.includes('\uFFFD') && !l.trimStart().startsWith('#'));
  if (line >= 0) throw new Fault('invalid', `${path}: line ${line + 1} is not UTF-8: write the file in that encoding`);
  return text;
}
