/**
 * Directories of files that change all at once: files live in `..<time>` directories, `..data` is a link to the
 * current one, and the visible names are links through `..data`. A change swaps that one link.
 */
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Fault } from '#lib/errors.ts';
import type { VolumeFile } from './types.ts';

const current = '..data';

/** All files of one volume, in bytes (Kubernetes' limit of an object is 1 MiB; a projected volume joins several). */
export const volumeDataLimit = 16 * 1024 * 1024;

/** Makes `directory` hold exactly `files`. Returns whether anything changed. `group`: owner group of all files (fsGroup). */
export function writeVolumeFiles(directory: string, files: readonly VolumeFile[], group?: number): boolean {
  checkFiles(files);
  const before = currentDirectory(directory);
  if (before !== undefined && holds(join(directory, before), files)) return false;
  const fresh = mkdtempSync(join(directory, '..v-'));
  chmodSync(fresh, 0o755);
  for (const file of files) {
    const path = join(fresh, file.path);
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    writeFileSync(path, file.data);
    chmodSync(path, group === undefined ? file.mode : file.mode | ((file.mode & 0o400) >> 3));
    if (group !== undefined) chownSync(path, 0, group);
  }
  const link = join(directory, '..data_tmp');
  rmSync(link, { force: true });
  symlinkSync(fresh.slice(directory.length + 1), link);
  renameSync(link, join(directory, current));
  showNames(directory, new Set(files.map((file) => file.path.split('/')[0]!)));
  if (before !== undefined) rmSync(join(directory, before), { recursive: true, force: true });
  return true;
}

function checkFiles(files: readonly VolumeFile[]): void {
  let total = 0;
  for (const { path, data } of files) {
    total += data.length;
    const parts = path.split('/');
    if (path === '' || path.startsWith('/') || parts.includes('..') || path.startsWith('..')) {
      throw new Fault('invalid', `invalid path ${JSON.stringify(path)} of a volume's file: it must be relative and without ".."`);
    }
  }
  if (total > volumeDataLimit) throw new Fault('too-large', `a volume of ${total} bytes of data is over the limit of ${volumeDataLimit}`);
}

function currentDirectory(directory: string): string | undefined {
  try {
    return readlinkSync(join(directory, current));
  } catch {
    return undefined;
  }
}

function holds(directory: string, files: readonly VolumeFile[]): boolean {
  if (!existsSync(directory)) return false;
  const there = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => lstatSync(join(directory, name)).isFile());
  if (there.length !== files.length) return false;
  return files.every((file) => there.includes(file.path) && readFileSync(join(directory, file.path)).equals(file.data));
}

function showNames(directory: string, names: ReadonlySet<string>): void {
  for (const name of readdirSync(directory)) {
    if (!name.startsWith('..') && !names.has(name)) rmSync(join(directory, name), { recursive: true, force: true });
  }
  for (const name of names) {
    if (!existsSync(join(directory, name))) symlinkSync(join(current, name), join(directory, name));
  }
}
