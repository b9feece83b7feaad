import { closeSync, constants, openSync } from 'node:fs';
import { mkdir, rename, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Aftermath, KeyedMutex } from '#lib/async.ts';
import { Fault, isFault } from '#lib/errors.ts';
import { writeTar } from '#lib/tar/write.ts';
import type { Logger } from '#lib/log.ts';
import type { Content, Descriptor, Digest } from '#core/content/types.ts';
import type { Records } from '#core/store/records.types.ts';
import type { Files } from '#sys/fs/types.ts';
import type { Mounts } from '#sys/mount/types.ts';
import { chainOn } from '../chain.ts';
import { storeLayer } from '../layer-blob.ts';
import type { ActiveInfo, ChainId, CommittedLayer, LayerInfo, SnapshotChange, SnapshotDirectories, Snapshots } from '../types.ts';
import type { UnpackPool } from '../unpack/pool.ts';
import { changesOf, diffMembers, usageOf } from './diff.ts';
import { overlayOptions } from './mount-options.ts';
import { emptyLayers, makeLike } from './places.ts';
import type { OverlayPlaces } from './places.ts';
import type { ActiveRecord, LayerRecord } from './records.ts';
import type { Settling } from './settle.ts';

export const snapshotLimits = {
  /** Layers that one snapshot stands on. */
  depth: 127,
  /** Characters of an active snapshot's key. */
  keyLength: 256,
} as const;

export interface OverlayParts {
  places: OverlayPlaces;
  content: Content;
  mounts: Mounts;
  files: Files;
  layers: Records<LayerRecord>;
  active: Records<ActiveRecord>;
  pool: UnpackPool;
  settling: Settling;
  log: Logger;
}

type UnpackOptions = { onProgress?: (bytes: number) => void; signal?: AbortSignal };

export class OverlaySnapshots implements Snapshots {
  readonly #parts: OverlayParts;
  readonly #serial = new KeyedMutex();
  readonly #unpacking = new Map<Digest, Promise<Digest>>();
  readonly #mounted = new Set<string>();
  /** Layers that are looked at or built on just now, by how many. */
  readonly #held = new Map<ChainId, number>();
  /** Layers whose records are being deleted. */
  readonly #leaving = new Set<ChainId>();
  /** Removals whose record is gone and whose files are going. */
  readonly #removals = new Aftermath();

  constructor(parts: OverlayParts) {
    this.#parts = parts;
    const targets = new Set(parts.mounts.list().map((entry) => entry.target));
    for (const record of parts.active.list()) {
      if (targets.has(parts.places.active(record.dir, 'merged'))) this.#mounted.add(record.id);
    }
  }

  has(chain: ChainId): boolean {
    return chain === '' || (this.#parts.layers.get(chain) !== undefined && !this.#leaving.has(chain));
  }

  async unpack(parent: ChainId, blob: Descriptor, diffId: Digest, options: UnpackOptions = {}): Promise<ChainId> {
    const chain = chainOn(parent, diffId);
    for (;;) {
      if (this.has(chain)) return chain;
      const running = this.#unpacking.get(chain);
      if (!running) break;
      // Another caller's cancellation is not this one's: then it is this one's turn.
      await running.catch((error: unknown) => {
        if (!isFault(error, 'canceled') || options.signal?.aborted) throw error;
      });
    }
    const work = this.#unpack(parent, chain, blob, diffId, options);
    this.#unpacking.set(chain, work);
    try {
      return await work;
    } finally {
      this.#unpacking.delete(chain);
    }
  }

  async #unpack(parent: ChainId, chain: Digest, blob: Descriptor, diffId: Digest, options: UnpackOptions): Promise<Digest> {
    const { places, pool, content } = this.#parts;
    const parentRunning = parent === '' ? undefined : this.#unpacking.get(parent);
    if (!parentRunning) this.#lowersForOneMore(parent);
    const temporary = await places.temporary('tmp');
    try {
      const target = join(temporary, 'fs');
      await mkdir(target, { mode: 0o700 });
      const done = await pool.run({ blob: content.path(blob.digest), target, diffId, ...options });
      await parentRunning;
      return await this.#holding(parent, async () => {
        const below = this.#lowersForOneMore(parent)[0];
        if (!done.hasRoot) await makeLike(target, below && join(places.root, below));
        const dir = places.newName();
        await rename(target, places.layer(dir));
        await this.#publish({ id: chain, parent, dir, diffId, blob, bytes: done.bytes, inodes: done.inodes });
        return chain;
      });
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  }

  async create(key: string, parent: ChainId, options: { labels?: Record<string, string> } = {}): Promise<void> {
    if (key === '' || key.length > snapshotLimits.keyLength || key.startsWith('sha256:')) {
      throw new Fault('invalid', `invalid snapshot key ${JSON.stringify(key)}`);
    }
    return this.#serial.run(key, async () => {
      const { places, active } = this.#parts;
      if (active.get(key)) throw new Fault('already-exists', `snapshot ${key} already exists`);
      await this.#holding(parent, async ([below]) => {
        const dir = places.newName();
        await mkdir(join(places.root, 'active', dir), { mode: 0o711 });
        await mkdir(places.active(dir, 'fs'), { mode: 0o700 });
        await makeLike(places.active(dir, 'fs'), below && join(places.root, below));
        await mkdir(places.active(dir, 'work'), { mode: 0o700 });
        await mkdir(places.active(dir, 'merged'), { mode: 0o755 });
        await active.put({ id: key, parent, dir, labels: options.labels ?? {} });
      });
    });
  }

  async mount(key: string): Promise<string> {
    return this.#serial.run(key, async () => {
      const record = this.#active(key);
      const target = this.#parts.places.active(record.dir, 'merged');
      if (this.#mounted.has(key)) return target;
      const part = (name: string): string => join('active', record.dir, name);
      await this.#overlay(target, { lowers: this.#lowers(record.parent), upper: part('fs'), work: part('work') });
      this.#mounted.add(key);
      return target;
    });
  }

  view<T>(chain: ChainId, use: (root: string) => Promise<T>): Promise<T> {
    const { places, mounts } = this.#parts;
    return this.#holding(chain, async (lowers) => {
      const target = await places.temporary('views');
      try {
        await this.#overlay(target, { lowers });
        try {
          return await use(target);
        } finally {
          mounts.unmount(target, { detach: true });
        }
      } finally {
        await rmdir(target);
      }
    });
  }

  /** Runs `work` with the layer kept; it is given the directories of a snapshot on it. */
  async #holding<T>(chain: ChainId, work: (lowers: string[]) => Promise<T>): Promise<T> {
    const lowers = this.#lowers(chain);
    this.#held.set(chain, (this.#held.get(chain) ?? 0) + 1);
    try {
      return await work(lowers);
    } finally {
      const left = this.#held.get(chain)! - 1;
      if (left > 0) this.#held.set(chain, left);
      else this.#held.delete(chain);
    }
  }

  async unmount(key: string): Promise<void> {
    return this.#serial.run(key, () => this.#unmount(this.#active(key), false));
  }

  mountpoint(key: string): string | undefined {
    const record = this.#parts.active.get(key);
    return record && this.#mounted.has(key) ? this.#parts.places.active(record.dir, 'merged') : undefined;
  }

  directories(key: string): SnapshotDirectories | undefined {
    const { active, layers, places } = this.#parts;
    const lowers = (parent: ChainId): string[] => this.#lowers(parent).map((path) => join(places.root, path));
    const record = active.get(key);
    if (record) {
      const [upper, merged, work] = (['fs', 'merged', 'work'] as const).map((part) => places.active(record.dir, part)) as [string, string, string];
      return { lower: lowers(record.parent), upper, merged, work };
    }
    const layer = layers.get(key);
    return layer && { lower: lowers(layer.parent), upper: places.layer(layer.dir) };
  }

  remove(key: string): Promise<void> {
    return this.#serial.run(key, async () => {
      const { active } = this.#parts;
      const record = active.get(key);
      if (!record) return;
      await active.delete(key);
      const failed = (error: unknown): void => this.#parts.log.warn('the files of a removed snapshot stay until the next start', { id: record.id, error });
      this.#removals.begin(record.dir, () => this.#discard(record), failed);
    });
  }

  /** Unmounting waits for the disk, and nobody waits for that: the next start removes what this leaves. */
  async #discard(record: ActiveRecord): Promise<void> {
    const { places } = this.#parts;
    await this.#unmount(record, true);
    await places.discard(join(places.root, 'active', record.dir));
  }

  async changes(key: string): Promise<SnapshotChange[]> {
    return this.#compare(this.#active(key), (upper, lower) => changesOf(upper, lower, this.#parts.files));
  }

  async diff(key: string): Promise<Readable> {
    return writeTar(diffMembers(this.#parts.places.active(this.#active(key).dir, 'fs'), this.#parts.files));
  }

  commit(key: string): Promise<CommittedLayer> {
    return this.#serial.run(key, async () => {
      const { active, places, content } = this.#parts;
      const record = this.#active(key);
      this.#lowersForOneMore(record.parent);
      await this.#unmount(record, false);
      const files = places.active(record.dir, 'fs');
      const { descriptor, diffId } = await storeLayer(content, writeTar(diffMembers(files, this.#parts.files)), `commit ${key}`);
      const chain = chainOn(record.parent, diffId);
      if (!this.has(chain)) {
        const usage = await usageOf(files);
        const dir = places.newName();
        await rename(files, places.layer(dir));
        await this.#publish({ id: chain, parent: record.parent, dir, diffId, blob: descriptor, ...usage });
      }
      await active.delete(key);
      await places.discard(join(places.root, 'active', record.dir));
      return { chain, diffId, descriptor };
    });
  }

  async usage(key: string): Promise<{ bytes: number; inodes: number }> {
    if (key === '') return { bytes: 0, inodes: 0 };
    const layer = this.#parts.layers.get(key);
    if (layer) return { bytes: layer.bytes, inodes: layer.inodes };
    return usageOf(this.#parts.places.active(this.#active(key).dir, 'fs'));
  }

  layers(): readonly LayerInfo[] {
    return this.#parts.layers.list().map(({ id, parent, diffId, blob, bytes }) => ({ chain: id, parent, diffId, blob, bytes }));
  }

  active(): readonly ActiveInfo[] {
    return this.#parts.active.list().map(({ id, parent, labels }) => ({ key: id, parent, labels }));
  }

  async removeLayer(chain: ChainId): Promise<void> {
    const { layers, active, places } = this.#parts;
    const record = layers.get(chain);
    if (!record || this.#leaving.has(chain)) return;
    const child = layers.list().find((layer) => layer.parent === chain)?.id ?? active.list().find((a) => a.parent === chain)?.id;
    if (child !== undefined || this.#held.has(chain)) {
      throw new Fault('conflict', `layer ${chain} is in use by ${child ?? 'who reads it or builds on it'}`);
    }
    this.#leaving.add(chain);
    try {
      await layers.delete(chain);
    } finally {
      this.#leaving.delete(chain);
    }
    await places.discard(places.layer(record.dir));
  }

  /** Ends the unpack threads; mounts stay. */
  async close(): Promise<void> {
    await this.#removals.allOver();
    await this.#parts.pool.close();
  }

  #active(key: string): ActiveRecord {
    const record = this.#parts.active.get(key);
    if (!record) throw new Fault('not-found', `snapshot ${key} does not exist`);
    return record;
  }

  /** The layer directories below a snapshot on `chain`, topmost first, relative to the root. */
  #lowers(chain: ChainId): string[] {
    const lowers: string[] = [];
    for (let at = chain; at !== ''; ) {
      const layer = this.#parts.layers.get(at);
      if (!layer || this.#leaving.has(at)) throw new Fault('not-found', `layer ${at} does not exist`);
      lowers.push(join('layers', layer.dir));
      at = layer.parent;
    }
    return lowers;
  }

  async #publish(record: LayerRecord): Promise<void> {
    const { layers, settling } = this.#parts;
    await layers.put({ ...record, unsettled: settling.bootId });
    settling.watch(record.id);
  }

  #lowersForOneMore(parent: ChainId): string[] {
    const lowers = this.#lowers(parent);
    if (lowers.length < snapshotLimits.depth) return lowers;
    throw new Fault('too-large', `max depth exceeded: an image has at most ${snapshotLimits.depth} layers`);
  }

  async #overlay(target: string, parts: { lowers: string[]; upper?: string; work?: string }): Promise<void> {
    const { places, mounts, files } = this.#parts;
    // overlayfs wants a layer below, and two where none is above: empty ones at the bottom change nothing.
    const least = parts.upper === undefined ? 2 : 1;
    const lowers = [...parts.lowers, ...emptyLayers.slice(0, Math.max(0, least - parts.lowers.length))];
    let fd: number | undefined;
    try {
      const options = overlayOptions({ ...parts, root: places.root, lowers }, () => {
        fd = openSync(places.root, constants.O_RDONLY | constants.O_DIRECTORY);
        return files.pathOf(fd);
      });
      await mounts.mountAside('overlay', target, 'overlay', parts.upper === undefined ? ['ro', ...options] : options);
    } catch (error) {
      if (!isFault(error, 'invalid')) throw error;
      throw new Fault('precondition', `cannot mount overlayfs on ${target}; the file system of ${places.root} may not support it: use a directory on ext4, xfs or btrfs as root`, { cause: error });
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }

  async #unmount(record: ActiveRecord, detach: boolean): Promise<void> {
    const { mounts, places } = this.#parts;
    if (!this.#mounted.delete(record.id)) return;
    const target = places.active(record.dir, 'merged');
    try {
      await mounts.unmountAside(target);
    } catch (error) {
      if (!detach) this.#mounted.add(record.id);
      if (!isFault(error, 'conflict')) throw error;
      if (!detach) throw new Fault('conflict', `snapshot ${record.id} is in use; stop what runs in it first`, { cause: error });
      mounts.unmountTree(target);
    }
  }

  #compare<T>(record: ActiveRecord, use: (upper: string, lower: string) => Promise<T>): Promise<T> {
    return this.view(record.parent, (lower) => use(this.#parts.places.active(record.dir, 'fs'), lower));
  }
}
