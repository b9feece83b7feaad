/**
 * Snapshots: directories made of layers (containerd's model). A *layer* is named by its chain id, immutable
 * once committed, and stands on its parent. An *active* snapshot is a writable directory on top of a
 * layer, named by its owner's key (a container's id). Both become a directory tree by being mounted.
 *
 * Life: `unpack` adds layers; `create` makes an active snapshot; `mount`/`unmount` show it; `diff` gives its
 * changes as a layer tar; `commit` turns it into a layer with no copy; `remove` ends it. Mounts outlive the
 * daemon; after a restart `mount` of a mounted key is a no-op.
 * Nothing in an archive can write outside the snapshot's root. A layer that may not have reached the disk when the machine
 * stopped is forgotten; images unpack theirs again from the blob when they are opened.
 */
import type { Readable } from 'node:stream';
import type { Descriptor, Digest } from '#core/content/types.ts';

/** The chain id of a layer: sha256 over the diff ids below it (OCI image spec); '' is the empty base. */
export type ChainId = Digest | '';

export interface Snapshots {
  has(chain: ChainId): boolean;
  /**
   * Unpacks a layer blob (tar; gzip or zstd by its content) on `parent`; its uncompressed digest must be
   * `diffId` (`invalid`). Runs off the main thread. A second caller of the same layer waits for the first. `parent` may
   * be one whose unpacking has begun: then both run side by side, and this one becomes a layer after it.
   */
  unpack(parent: ChainId, blob: Descriptor, diffId: Digest, options?: { onProgress?: (bytes: number) => void; signal?: AbortSignal }): Promise<ChainId>;
  /** An active snapshot on `parent`; `already-exists`. */
  create(key: string, parent: ChainId, options?: { labels?: Record<string, string> }): Promise<void>;
  /** Mounts an active snapshot at a fixed place below the root and returns it. */
  mount(key: string): Promise<string>;
  /** Mounts a layer read-only for as long as `use` runs. */
  view<T>(chain: ChainId, use: (root: string) => Promise<T>): Promise<T>;
  unmount(key: string): Promise<void>;
  mountpoint(key: string): string | undefined;
  /** Removes an active snapshot; absent is fine. Its mount and files go soon after, at the latest with `close`. */
  remove(key: string): Promise<void>;
  /** What the active snapshot changed, sorted by path. */
  changes(key: string): Promise<SnapshotChange[]>;
  /** Those changes as a layer tar (OCI whiteouts), deterministic. */
  diff(key: string): Promise<Readable>;
  /**
   * Turns an active snapshot into a layer: its changes go to `content` (gzip) and the directory itself
   * becomes the unpacked layer. An empty change set gives a layer too; ask `changes` first.
   */
  commit(key: string): Promise<CommittedLayer>;
  /** Bytes of an active snapshot's own files, or (by its chain id) of a layer's. */
  usage(key: string): Promise<{ bytes: number; inodes: number }>;
  /** What an active snapshot, or (by its chain id) a layer, is made of on the host; undefined where it is not there. */
  directories(key: string): SnapshotDirectories | undefined;
  layers(): readonly LayerInfo[];
  active(): readonly ActiveInfo[];
  /** Removes a layer that nothing stands on (`conflict` otherwise). */
  removeLayer(chain: ChainId): Promise<void>;
}

export interface SnapshotChange {
  path: string;
  kind: 'modified' | 'added' | 'deleted';
}

export interface ActiveInfo {
  key: string;
  parent: ChainId;
  labels: Readonly<Record<string, string>>;
}

export interface LayerInfo {
  chain: ChainId;
  parent: ChainId;
  diffId: Digest;
  /** The blob that it was unpacked from, or that its commit wrote. */
  blob: Descriptor;
  bytes: number;
}

export interface SnapshotDirectories {
  /** Below it, the uppermost first. */
  lower: readonly string[];
  /** Its own files. */
  upper: string;
  /** Of an active snapshot: where it is mounted while it is, and what overlayfs works in. */
  merged?: string;
  work?: string;
}

export interface CommittedLayer {
  chain: ChainId;
  diffId: Digest;
  descriptor: Descriptor;
}
