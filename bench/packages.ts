/** Programs of Debian's packages, unpacked once in a cache and not installed, so that no service of theirs starts. */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { command } from './measure.ts';

export const cache: string = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'gantry-bench');

/** Unpacks them below the cache, in a directory `name`, whose path it answers: the root of their files. */
export async function unpacked(name: string, packages: readonly string[]): Promise<string> {
  const root = join(cache, name);
  if (existsSync(root)) return root;
  const fresh = `${root}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  await command('sh', ['-c', `cd "$1" && apt-get download -q ${packages.join(' ')} && for p in *.deb; do dpkg -x "$p" . || exit 1; rm "$p"; done`, 'sh', fresh]);
  renameSync(fresh, root);
  return root;
}
