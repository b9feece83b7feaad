import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { MountEntry } from './types.ts';

/** An entry with the options of the mount itself apart from those of its file system. */
export interface TableEntry extends MountEntry {
  own: string[];
}

/** Parses /proc/PID/mountinfo (proc(5)). `options` are the mount's own and its file system's; read-only where either is. */
export function parseMountInfo(text: string): TableEntry[] {
  const entries: TableEntry[] = [];
  for (const line of text.split('\n')) {
    const fields = line.split(' ');
    const dash = fields.indexOf('-', 6);
    if (dash < 0) continue;
    const [id, , , root, target, options] = fields;
    const [type, source, superOptions] = fields.slice(dash + 1);
    const own = (options ?? '').split(',').filter((word) => word !== '');
    const words = new Set([...own, ...(superOptions ?? '').split(',').filter((word) => word !== '')]);
    if (words.has('ro')) words.delete('rw');
    entries.push({
      id: Number(id),
      source: unescape(source ?? ''),
      target: unescape(target ?? ''),
      type: type ?? '',
      root: unescape(root ?? ''),
      options: [...words],
      own,
    });
  }
  return entries;
}

/** Spaces, tabs, newlines and backslashes stand as three octal digits, in bytes of UTF-8. */
function unescape(field: string): string {
  if (!field.includes('\\')) return field;
  return field.replace(/(?:\\[0-7]{3})+/g, (run) => {
    const bytes = run.split('\\').slice(1);
    return Buffer.from(bytes.map((digits) => Number.parseInt(digits, 8))).toString();
  });
}

/** A path as the mount table has it: links on the way are followed; one at the end is no mount point, and is not. */
export function tablePath(path: string): string {
  const whole = resolve(path);
  try {
    return join(realpathSync(dirname(whole)), basename(whole));
  } catch {
    // nothing can be mounted at what is not there
    return whole;
  }
}

/** Whether `path` is `directory` or below it. Both absolute and clean. */
export function isWithin(directory: string, path: string): boolean {
  if (directory === '/') return path.startsWith('/');
  return path === directory || path.startsWith(`${directory}/`);
}

/** The mounts at and below `directory` in the order to take them off: deepest first, of stacked ones the last first. */
export function unmountOrder(entries: readonly MountEntry[], directory: string): MountEntry[] {
  const depth = (entry: MountEntry): number => entry.target.split('/').length;
  return entries
    .filter((entry) => isWithin(directory, entry.target) && !entry.target.endsWith('//deleted'))
    .reverse()
    .sort((a, b) => depth(b) - depth(a));
}
