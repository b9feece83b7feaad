/**
 * Content: an immutable store of blobs addressed by `sha256:<64 hex>`. What is in it was verified; what is
 * being written is an *ingest*, named by its writer's `ref`; one that `resumes` survives a restart, so that a download goes on.
 * The store removes no blob by itself: images do, once neither an image nor a layer needs it (see their `alsoNeeded`).
 */
import type { Readable } from 'node:stream';

export type Digest = `sha256:${string}`;

/** An OCI content descriptor. */
export interface Descriptor {
  mediaType: string;
  digest: Digest;
  size: number;
  platform?: Platform;
  annotations?: Record<string, string>;
  urls?: string[];
  artifactType?: string;
}

export interface Platform {
  os: string;
  architecture: string;
  variant?: string;
  'os.version'?: string;
}

export interface Content {
  stat(digest: Digest): Promise<{ size: number } | undefined>;
  /** The blob as a stream, from `start` to before `end`; `not-found`. */
  open(digest: Digest, range?: { start?: number; end?: number }): Promise<Readable>;
  /** A whole small blob; over `limitBytes` (default 4 MiB): `too-large`. */
  read(digest: Digest, limitBytes?: number): Promise<Buffer>;
  /** The file of a blob, for readers on other threads; never write to it. */
  path(digest: Digest): string;
  /** Begins an ingest, or takes up what an earlier one of the ref left; one writer for a ref at a time (`conflict`). */
  ingest(ref: string, expected?: { digest?: Digest; size?: number; resumes?: boolean }): Promise<Ingest>;
  /** Stores a small blob. */
  put(data: Uint8Array): Promise<Digest>;
  delete(digest: Digest): Promise<boolean>;
  list(): AsyncIterable<{ digest: Digest; size: number; modifiedAt: number }>;
}

export interface Ingest {
  /** How much an earlier attempt left; write from there, or `truncate`. */
  offset: number;
  truncate(): Promise<void>;
  write(chunk: Uint8Array): Promise<void>;
  /** Verifies and publishes; a wrong digest or size: `invalid`, and the ingest is gone. */
  commit(): Promise<{ digest: Digest; size: number }>;
  /** Stops; what was written stays for a later `ingest` of the same ref, unless `discard`. */
  close(options?: { discard?: boolean }): Promise<void>;
}

export function isDigest(text: string): text is Digest {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}
