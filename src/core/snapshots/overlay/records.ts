import type { Descriptor, Digest } from '#core/content/types.ts';
import type { ChainId } from '../types.ts';

export interface LayerRecord {
  id: Digest;
  parent: ChainId;
  /** The name below `layers/`. */
  dir: string;
  diffId: Digest;
  blob: Descriptor;
  /** The boot in which its files were written, until the kernel has surely put them on the disk. */
  unsettled?: string;
  bytes: number;
  inodes: number;
}

export interface ActiveRecord {
  /** The owner's key. */
  id: string;
  parent: ChainId;
  /** The name below `active/`. */
  dir: string;
  labels: Record<string, string>;
}
