import { lstatSync } from 'node:fs';
import { lchown, chmod, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hex } from '#lib/random.ts';
import type { Random } from '#lib/random.ts';
import type { Mounts } from '#sys/mount/types.ts';

/**
 * The directories of the overlay driver. Names are short, since all of a mount's layers share one page:
 *
 *     layers/<n>            a layer's tree
 *     active/<n>/fs         an active snapshot's own files;  work, merged: overlayfs' and the mount point
 *     views/<random>        mount points of read-only views
 *     tmp/<random>          what is being made or removed; emptied at start-up
 *     empty/a, empty/b      the base where there is no layer, or one too few
 */
export class OverlayPlaces {
  readonly root: string;
  readonly #random: Random;
  #next = 1;

  constructor(root: string, random: Random) {
    this.root = root;
    this.#random = random;
  }

  /** Makes the directories, and removes what a crash left: everything that `known` does not name. */
  async recover(mounts: Mounts, known: { layers: ReadonlySet<string>; active: ReadonlySet<string> }): Promise<string[]> {
    for (const name of ['layers', 'active', 'views', 'tmp']) await mkdir(join(this.root, name), { recursive: true, mode: 0o711 });
    for (const name of emptyLayers) await mkdir(join(this.root, name), { recursive: true, mode: 0o755 });
    const removed: string[] = [];
    const kept: Record<string, ReadonlySet<string>> = { layers: known.layers, active: known.active, views: new Set(), tmp: new Set() };
    for (const [folder, names] of Object.entries(kept)) {
      for (const name of await readdir(join(this.root, folder))) {
        if (names.has(name)) {
          this.#next = Math.max(this.#next, Number.parseInt(name, 36) + 1);
          continue;
        }
        const left = join(this.root, folder, name);
        mounts.unmountTree(left);
        await rm(left, { recursive: true, force: true });
        removed.push(`${folder}/${name}`);
      }
    }
    return removed;
  }

  layer(dir: string): string {
    return join(this.root, 'layers', dir);
  }

  active(dir: string, part: 'fs' | 'work' | 'merged'): string {
    return join(this.root, 'active', dir, part);
  }

  newName(): string {
    return (this.#next++).toString(36);
  }

  /** A new directory in `tmp` or `views`. */
  async temporary(folder: 'tmp' | 'views'): Promise<string> {
    const path = join(this.root, folder, hex(this.#random, 8));
    await mkdir(path, { mode: 0o711 });
    return path;
  }

  /** Takes a directory away at once, and then removes it. */
  async discard(path: string): Promise<void> {
    const away = join(await this.temporary('tmp'), 'x');
    await rename(path, away);
    await rm(join(away, '..'), { recursive: true, force: true });
  }
}

/** Empty layers, relative to the root. */
export const emptyLayers: readonly string[] = ['empty/a', 'empty/b'];

/** Gives the top directory of a layer or snapshot the owner and mode of the one `below`, which it will hide. */
export async function makeLike(path: string, below: string | undefined): Promise<void> {
  const like = below === undefined ? undefined : lstatSync(below);
  if (like) await lchown(path, like.uid, like.gid);
  await chmod(path, like ? like.mode & 0o7777 : 0o755);
}
