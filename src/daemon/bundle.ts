/**
 * The program as one file. `up` starts the daemon from it rather than from the thousand modules of `src/`: those cost half
 * of a start, and to strip their types Node runs a WebAssembly program in each thread, which a first start on some
 * machines did not survive (docs/decisions/0008). The file is made anew whenever a source is another than it was made from;
 * one that a running daemon may still load its threads from stays.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { codeOf, messageOf } from '#lib/errors.ts';
import { ownFile } from '#lib/own-modules.ts';

/** What becomes a file each: the program, and what its threads are started from. */
const entries = ['main.ts', 'sys/epoll/worker.ts', 'core/snapshots/unpack/worker.ts'];
/** Packages that load machine code from beside themselves. */
const outside = ['koffi', 'lmdb', 'esbuild'];
/** Bundles that are kept, the newest first. */
const kept = 4;

/** The file to start the daemon from; `src/main.ts` itself where no bundle can be made, of which `say` tells the reason. */
export async function program(say: (text: string) => void, source = fileURLToPath(ownFile('.'))): Promise<string> {
  const bundles = join(source, '..', '.tools', 'bundle');
  const directory = join(bundles, fingerprint(source));
  const main = join(directory, 'main.mjs');
  if (existsSync(main)) return main;
  try {
    mkdirSync(bundles, { recursive: true });
    await make(source, directory, say);
    prune(bundles);
    return main;
  } catch (error) {
    const why = codeOf(error) === 'EROFS' || codeOf(error) === 'EACCES' ? `${bundles} cannot be written` : messageOf(error);
    say(`starting from the sources, which is slower: ${why}`);
    return join(source, 'main.ts');
  }
}

/** Changes whenever a source, or what it is built with, does. */
function fingerprint(source: string): string {
  const hash = createHash('sha256').update(process.version);
  const look = (path: string): void => {
    const { size, mtimeMs } = statSync(path);
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  };
  const files = readdirSync(source, { recursive: true, withFileTypes: true })
    .filter((f) => f.isFile() && f.name.endsWith('.ts') && !f.name.endsWith('.test.ts'))
    .map((f) => join(f.parentPath, f.name));
  for (const path of [...files.sort(), join(source, '..', 'package-lock.json')]) look(path);
  return hash.digest('hex').slice(0, 16);
}

async function make(source: string, directory: string, say: (text: string) => void): Promise<void> {
  say('making one file of the program (after each change of its sources) …');
  const { build } = await import('esbuild');
  const scratch = `${directory}.${process.pid}`;
  try {
    await build({
      entryPoints: entries.map((entry) => ({ in: join(source, entry), out: entry.replaceAll('/', '-').replace(/\.ts$/, '') })),
      outdir: scratch,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: `node${process.versions.node}`,
      external: outside,
      sourcemap: 'linked',
      sourcesContent: false,
      legalComments: 'none',
      logLevel: 'silent',
      banner: { js: banner },
    });
    renameSync(scratch, directory);
  } catch (error) {
    // another `up` may have made the same by now
    if (!existsSync(directory)) throw error;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** CommonJS packages call `require`; the two constants are for `lib/own-modules.ts`. */
const banner = `
import { createRequire as gantryCreateRequire } from 'node:module';
const require = gantryCreateRequire(import.meta.url);
const GANTRY_SOURCE = new URL('../../../src/', import.meta.url);
const GANTRY_BUNDLE = (source) => new URL(source.replaceAll('/', '-').replace(/\\.ts$/, '.mjs'), import.meta.url);
`;

function prune(bundles: string): void {
  const found = readdirSync(bundles).map((name) => join(bundles, name));
  const age = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  for (const path of found.sort((a, b) => age(b) - age(a)).slice(kept)) rmSync(path, { recursive: true, force: true });
}
