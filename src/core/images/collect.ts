import { KeyedMutex } from '#lib/async.ts';
import { isFault } from '#lib/errors.ts';
import type { Content, Digest } from '#core/content/types.ts';
import { chainsOf } from '#core/snapshots/chain.ts';
import type { ChainId, Snapshots } from '#core/snapshots/types.ts';
import type { Records } from '#core/store/records.types.ts';
import type { ImageCatalog } from './catalog.ts';
import type { Image } from './types.ts';

/** A layer that no image has any more, but that something (a container's snapshot) stood on when its image went. */
export interface OrphanRecord {
  id: Digest;
  blob: Digest;
}

/**
 * Removes the layers and blobs that images leave behind. Work in progress *pins* what it will need, so that
 * the removal of another image does not take it away; pinning waits for a removal that is under way.
 */
export class Collector {
  readonly #content: Content;
  readonly #snapshots: Snapshots;
  readonly #catalog: ImageCatalog;
  readonly #orphans: Records<OrphanRecord>;
  readonly #serial = new KeyedMutex();
  readonly #pins = new Map<string, number>();

  constructor(parts: { content: Content; snapshots: Snapshots; catalog: ImageCatalog; orphans: Records<OrphanRecord> }) {
    this.#content = parts.content;
    this.#snapshots = parts.snapshots;
    this.#catalog = parts.catalog;
    this.#orphans = parts.orphans;
  }

  /** Runs `work` with `digests` (of blobs and of layers) kept; it may pin more as it learns of them. */
  async pinned<T>(digests: readonly Digest[], work: (pin: (more: readonly Digest[]) => Promise<void>) => Promise<T>): Promise<T> {
    const releases: (() => void)[] = [];
    const pin = async (more: readonly Digest[]): Promise<void> => void releases.push(await this.pin(more));
    try {
      await pin(digests);
      return await work(pin);
    } finally {
      for (const release of releases) release();
    }
  }

  /** Keeps `digests` until the returned function is called. */
  pin(digests: readonly Digest[]): Promise<() => void> {
    return this.#serial.run('collect', () => {
      for (const digest of digests) this.#pins.set(digest, (this.#pins.get(digest) ?? 0) + 1);
      return () => {
        for (const digest of digests) {
          const left = this.#pins.get(digest)! - 1;
          if (left === 0) this.#pins.delete(digest);
          else this.#pins.set(digest, left);
        }
      };
    });
  }

  /** Removes what `image`, which is no longer in the catalog, alone needed. */
  release(image: Pick<Image, 'id' | 'manifest' | 'layers' | 'config'>): Promise<ChainId[]> {
    return this.#serial.run('collect', async () => {
      const chains = chainsOf(image.config.rootfs.diff_ids);
      const removed = await this.#layers(chains.map((id, i) => ({ id, blob: image.layers[i]!.digest })));
      const needed = this.#neededBlobs();
      for (const digest of [image.manifest.digest, image.id]) {
        if (!needed.has(digest)) await this.#content.delete(digest);
      }
      return [...removed, ...(await this.#retry())];
    });
  }

  /** Removes blobs that a replaced manifest of the same image used. */
  releaseBlobs(digests: readonly Digest[]): Promise<void> {
    return this.#serial.run('collect', async () => {
      const needed = this.#neededBlobs();
      for (const digest of digests) if (!needed.has(digest)) await this.#content.delete(digest);
    });
  }

  /** Tries again what was in use; for start-up, and after containers went. */
  retry(): Promise<ChainId[]> {
    return this.#serial.run('collect', () => this.#retry());
  }

  async #retry(): Promise<ChainId[]> {
    const depth = (id: Digest): number => {
      const parents = new Map(this.#snapshots.layers().map((layer) => [layer.chain, layer.parent]));
      let count = 0;
      for (let at: ChainId | undefined = id; at; at = parents.get(at)) count++;
      return count;
    };
    const orphans = [...this.#orphans.list()].sort((a, b) => depth(a.id) - depth(b.id));
    return this.#layers(orphans);
  }

  /** Removes layers, base first in `layers`, from the top down as far as nothing else stands on them. */
  async #layers(layers: readonly OrphanRecord[]): Promise<ChainId[]> {
    const neededLayers = new Set<string>(this.#pins.keys());
    for (const image of this.#catalog.list()) for (const chain of chainsOf(image.config.rootfs.diff_ids)) neededLayers.add(chain);
    const removed: ChainId[] = [];
    for (const orphan of [...layers].reverse()) {
      if (neededLayers.has(orphan.id)) {
        await this.#orphans.delete(orphan.id);
        continue;
      }
      try {
        await this.#snapshots.removeLayer(orphan.id);
      } catch (error) {
        if (!isFault(error, 'conflict')) throw error;
        await this.#orphans.put(orphan);
        continue;
      }
      await this.#orphans.delete(orphan.id);
      removed.push(orphan.id);
      if (!this.#neededBlobs().has(orphan.blob)) await this.#content.delete(orphan.blob);
    }
    return removed;
  }

  #neededBlobs(): Set<string> {
    const needed = new Set<string>(this.#pins.keys());
    for (const image of this.#catalog.list()) {
      needed.add(image.id).add(image.manifest.digest);
      for (const layer of image.layers) needed.add(layer.digest);
    }
    for (const orphan of this.#orphans.list()) needed.add(orphan.blob);
    return needed;
  }
}
