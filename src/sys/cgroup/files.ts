import { codeOf, Fault } from '#lib/errors.ts';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { faulting, nodeFault } from '../errno.ts';

/** The text of a control file; undefined where it or its group is not there. */
export function readControl(directory: string, file: string): string | undefined {
  try {
    return readFileSync(join(directory, file), 'utf8').trim();
  } catch (error) {
    if (['ENOENT', 'ENODEV', 'EOPNOTSUPP'].includes(codeOf(error) ?? '')) return undefined;
    throw nodeFault(error, `read ${join(directory, file)}`);
  }
}

/** Sets a control; a file that is not there means that the host has not that controller. */
export function writeControl(directory: string, file: string, value: string): void {
  const path = join(directory, file);
  if (!existsSync(path)) throw new Fault('not-implemented', `cannot set ${file} of the control group ${directory}: the host has no such control there`);
  faulting(`write "${value}" to ${path}`, () => writeFileSync(path, value));
}

/** A whole number, or undefined for `max`, for absence, and for v1's "no limit" near 2^63. */
export function readNumber(directory: string, file: string): number | undefined {
  return limitOf(readControl(directory, file));
}

export function limitOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d+$/.test(text)) return undefined;
  const value = Number(text);
  return value >= 2 ** 62 ? undefined : value;
}

export function readBig(directory: string, file: string): bigint {
  const text = readControl(directory, file);
  return text !== undefined && /^\d+$/.test(text) ? BigInt(text) : 0n;
}

/** Lines of `name value`. */
export function readTable(directory: string, file: string): Record<string, number> {
  const table: Record<string, number> = {};
  for (const line of (readControl(directory, file) ?? '').split('\n')) {
    const [name, value] = line.split(' ');
    if (name && value !== undefined && /^\d+$/.test(value)) table[name] = Number(value);
  }
  return table;
}

export function readPids(directory: string): number[] {
  return (readControl(directory, 'cgroup.procs') ?? '').split('\n').filter((line) => line !== '').map(Number);
}

/** The group and all below it, parents first; none where it is absent. */
export function groupsBelow(directory: string): string[] {
  const found: string[] = [];
  const visit = (path: string): void => {
    let entries;
    try {
      entries = readdirSync(path, { withFileTypes: true });
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return;
      throw nodeFault(error, `list ${path}`);
    }
    found.push(path);
    for (const entry of entries) if (entry.isDirectory()) visit(join(path, entry.name));
  };
  visit(directory);
  return found;
}

export function makeGroup(directory: string): void {
  faulting(`make the control group ${directory}`, () => mkdirSync(directory, { recursive: true, mode: 0o755 }));
}

/** The parts of a group's name; `invalid` where it would leave its hierarchy. */
export function nameParts(name: string): string[] {
  const parts = name.split('/').filter((part) => part !== '');
  const wrong = parts.length === 0 || parts.some((part) => part === '.' || part === '..' || part.length > 255 || /[\n\0]/.test(part));
  if (wrong) throw new Fault('invalid', `"${name}" is not the name of a control group; give a path such as gantry/web`);
  return parts;
}
