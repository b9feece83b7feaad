import type { FaultKind } from '#lib/errors.ts';
import type { Digest } from '#core/content/types.ts';

export type UnpackRequest =
  /** Unpack the blob in the file `blob` to the directory `target`; its plain bytes must have the digest `diffId`. */
  | { kind: 'unpack'; blob: string; target: string; diffId: Digest }
  | { kind: 'cancel' };

export interface Unpacked {
  bytes: number;
  inodes: number;
  hasRoot: boolean;
}

export type UnpackReply =
  | { kind: 'progress'; bytes: number }
  | ({ kind: 'done' } & Unpacked)
  | { kind: 'failed'; fault: FaultKind; message: string };
