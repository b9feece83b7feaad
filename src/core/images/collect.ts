import { KeyedMutex } from '#lib/async.ts';
import { isFault } from '#lib/errors.ts';
import type { Content, Digest } from '#core/content/types.ts';
import { chainsOf } from '#core/snapshots/chain.ts';
import type { ChainId, Snapshots } from '#core/snapshots/types.ts';
import type { Records } from '#core/store/records.types.ts';
import type { ImageCatalog } from './catalog.ts';
import type { Image } from './types.ts';

/** A layer (by its chain id) that no image has any more, but that something stood on when its image went. */
export interface OrphanRecord {
  id: Digest;
}

/** Milliseconds that a blob is kept which nothing needs: a pull or a load that failed may be tried again. */
export const unneededMs: number = 24 * 3600 * 1000;

/** What a piece of work brings; it may learn of more meanwhile. */
export interface Brought {
  blobs: readonly Digest[];
  /** Layers that were not there before it. */
  chains: readonly Digest[];
}

/** Whether the same may be tried again after it, with use for what is here already. */
export function mayPass(error: unknown): boolean {
  return isFault(error, 'unavailable', 'timeout', 'canceled', 'not-found', 'forbidden', 'unauthenticated');
}

export interface CollectorParts {
  content: Content;
  snapshots: Snapshots;
  catalog: ImageCatalog;
  orphans: Records<OrphanRecord>;
  /** Blobs that others than images keep in the same content store. */
  alsoNeeded: () => Iterable<Digest>;
}

/**
 * Removes the layers and blobs that images leave behind. Work in progress *pins* what it will need, so that
 * the removal of another image does not take it away; pinning waits for a removal that is under way.
 */
export class Collector {
  readonly #parts: CollectorParts;
  readonly #serial = new KeyedMutex();
  readonly #pins = new Map<string, number>();

  constructor(parts: CollectorParts) {
    this.#parts = parts;
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

  /**
   * Runs `work`, and removes what it brought where it fails for good, as far as nothing else needs it. After a failure that
   * may pass the blobs are kept a day, and the layers until the next removal.
   */
  async undoing<T>(brought: Brought, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      await this.#serial.run('collect', async () => {
        if (mayPass(error)) for (const id of brought.chains) await this.#parts.orphans.put({ id });
        else {
          await this.#removeLayers(brought.chains);
          await this.#removeBlobs(brought.blobs);
        }
      });
      throw error;
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

  /** Removes what `image`, which is no longer in the catalog, alone needed; and what was in use when others went. */
  release(image: Pick<Image, 'id' | 'manifest' | 'indexes' | 'layers' | 'config'>): Promise<ChainId[]> {
    return this.#serial.run('collect', async () => {
      const removed = await this.#removeLayers(chainsOf(image.config.rootfs.diff_ids));
      await this.#removeBlobs([image.id, ...blobsOf(image)]);
      return [...removed, ...(await this.#retry())];
    });
  }

  /** Removes those of `chains`, in any order, that nothing needs. */
  releaseLayers(chains: readonly Digest[]): Promise<ChainId[]> {
    return this.#serial.run('collect', () => this.#removeLayers(this.#baseFirst(chains)));
  }

  /** Removes those of `digests` that nothing needs. */
  releaseBlobs(digests: readonly Digest[]): Promise<void> {
    return this.#serial.run('collect', () => this.#removeBlobs(digests));
  }

  /** For start-up: tries again what was in use, and removes blobs that have long been needed by nothing. */
  sweep(now: number): Promise<void> {
    return this.#serial.run('collect', async () => {
      await this.#retry();
      const old: Digest[] = [];
      for await (const blob of this.#parts.content.list()) if (now - blob.modifiedAt > unneededMs) old.push(blob.digest);
      await this.#removeBlobs(old);
    });
  }

  #retry(): Promise<ChainId[]> {
    return this.#removeLayers(this.#baseFirst(this.#parts.orphans.list().map((orphan) => orphan.id)));
  }

  #baseFirst(chains: readonly Digest[]): Digest[] {
    const parents = new Map(this.#parts.snapshots.layers().map((layer) => [layer.chain, layer.parent]));
    const depth = (id: Digest): number => {
      let count = 0;
      for (let at: ChainId | undefined = id; at; at = parents.get(at)) count++;
      return count;
    };
    return [...chains].sort((a, b) => depth(a) - depth(b));
  }

  /** Removes layers, given base first, from the top down as far as nothing else stands on them. */
  async #removeLayers(chains: readonly Digest[]): Promise<ChainId[]> {
    const { catalog, snapshots, orphans } = this.#parts;
    const needed = new Set<string>(this.#pins.keys());
    for (const image of catalog.list()) for (const chain of chainsOf(image.config.rootfs.diff_ids)) needed.add(chain);
    const blobs = new Map(snapshots.layers().map((layer) => [layer.chain, layer.blob.digest]));
    const removed: ChainId[] = [];
    for (const chain of [...chains].reverse()) {
      if (!needed.has(chain)) {
        try {
          await snapshots.removeLayer(chain);
        } catch (error) {
          if (!isFault(error, 'conflict')) throw error;
          await orphans.put({ id: chain });
          continue;
        }
        if (blobs.has(chain)) removed.push(chain);
      }
      await orphans.delete(chain);
    }
    await this.#removeBlobs(removed.flatMap((chain) => blobs.get(chain) ?? []));
    return removed;
  }

  async #removeBlobs(digests: readonly Digest[]): Promise<void> {
    const { catalog, snapshots, content, alsoNeeded } = this.#parts;
    const needed = new Set<string>([...this.#pins.keys(), ...alsoNeeded()]);
    for (const image of catalog.list()) {
      needed.add(image.id);
      for (const digest of blobsOf(image)) needed.add(digest);
    }
    for (const layer of snapshots.layers()) needed.add(layer.blob.digest);
    for (const digest of digests) if (!needed.has(digest)) await content.delete(digest);
  }
}

/** What an image has in content besides its config. */
export function blobsOf(image: Pick<Image, 'manifest' | 'indexes' | 'layers'>): Digest[] {
  return [...(image.indexes ?? []), image.manifest, ...image.layers].map((blob) => blob.digest);
}
