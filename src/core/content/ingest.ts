import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { open, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Fault } from '#lib/errors.ts';
import type { Digest, Ingest } from './types.ts';

export interface FileIngestOptions {
  ref: string;
  file: string;
  expected: { digest?: Digest; size?: number };
  limitBytes: number;
  blobPath: (digest: Digest) => string;
  onClosed: () => void;
}

/** An ingest in a file. Blobs are on disk before they get their name: a power failure leaves an ingest, not a wrong blob. */
export class FileIngest implements Ingest {
  offset: number;
  readonly #options: FileIngestOptions;
  readonly #handle: FileHandle;
  #hash: Hash;
  #open = true;

  private constructor(options: FileIngestOptions, handle: FileHandle, hash: Hash, offset: number) {
    this.#options = options;
    this.#handle = handle;
    this.#hash = hash;
    this.offset = offset;
  }

  static async open(options: FileIngestOptions): Promise<FileIngest> {
    const handle = await open(options.file, 'a+', 0o600);
    try {
      const hash = createHash('sha256');
      let offset = 0;
      const size = (await handle.stat()).size;
      if (size > (options.expected.size ?? options.limitBytes)) await handle.truncate(0);
      else if (size > 0) {
        for await (const chunk of handle.createReadStream({ start: 0, autoClose: false, highWaterMark: 1024 * 1024 })) {
          hash.update(chunk as Buffer);
          offset += (chunk as Buffer).length;
        }
      }
      return new FileIngest(options, handle, hash, offset);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async truncate(): Promise<void> {
    this.#mustBeOpen();
    if (this.offset === 0) return;
    await this.#handle.truncate(0);
    this.#hash = createHash('sha256');
    this.offset = 0;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#mustBeOpen();
    const limit = this.#options.expected.size ?? this.#options.limitBytes;
    if (this.offset + chunk.length > limit) {
      await this.close({ discard: true });
      throw new Fault('invalid', `content: ${this.#options.ref} is longer than its ${limit} bytes`);
    }
    this.offset += chunk.length;
    this.#hash.update(chunk);
    for (let at = 0; at < chunk.length; ) at += (await this.#handle.write(chunk, at)).bytesWritten;
  }

  async commit(): Promise<{ digest: Digest; size: number }> {
    this.#mustBeOpen();
    const digest: Digest = `sha256:${this.#hash.digest('hex')}`;
    const { expected, ref, file } = this.#options;
    const size = this.offset;
    if (expected.size !== undefined && size !== expected.size) {
      await this.close({ discard: true });
      throw new Fault('invalid', `content: ${ref} has ${size} bytes, want ${expected.size}`);
    }
    if (expected.digest !== undefined && digest !== expected.digest) {
      await this.close({ discard: true });
      throw new Fault('invalid', `content: ${ref} has digest ${digest}, want ${expected.digest}`);
    }
    const blob = this.#options.blobPath(digest);
    const exists = await stat(blob).then(() => true, () => false);
    if (!exists) {
      await this.#handle.datasync();
      await rename(file, blob);
      await syncDirectory(dirname(blob));
    }
    await this.close({ discard: exists });
    return { digest, size };
  }

  async close(options: { discard?: boolean } = {}): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    try {
      await this.#handle.close();
      if (options.discard) await rm(this.#options.file, { force: true });
    } finally {
      this.#options.onClosed();
    }
  }

  #mustBeOpen(): void {
    if (!this.#open) throw new Fault('conflict', `content: the ingest ${this.#options.ref} is closed`);
  }
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
