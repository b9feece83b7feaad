/** What a directory holds, to see whether anything touched it. */
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** One line for each thing in the tree: all of its stat but what reading changes, and its content. */
export function fingerprint(root: string): string[] {
  return ['', ...readdirSync(root, { recursive: true, encoding: 'utf8' }).sort()].map((name) => {
    const path = join(root, name);
    const { ino, mode, uid, gid, nlink, size, mtimeMs, ctimeMs } = lstatSync(path);
    const kind = mode & 0o170000;
    const content = kind === 0o100000 ? createHash('sha256').update(readFileSync(path)).digest('hex') : kind === 0o120000 ? readlinkSync(path) : '';
    return [name, ino, mode.toString(8), uid, gid, nlink, size, mtimeMs, ctimeMs, content].join(' ');
  });
}

/** What files hold that nothing may read. */
export const hostSecret = 'the secret of the host';

/** A directory that nothing may touch: a file, a directory with one, a link. */
export function sentinelTree(path: string): string {
  mkdirSync(join(path, 'directory'), { recursive: true });
  writeFileSync(join(path, 'secret'), hostSecret);
  writeFileSync(join(path, 'directory/inner'), hostSecret);
  symlinkSync('secret', join(path, 'link'));
  return path;
}

/** Paths below `root` whose last name is `name`. */
export function namesBelow(root: string, name: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => path === name || path.endsWith(`/${name}`));
}
