/**
 * Room on the disk for what LMDB is about to write, set aside or looked up beforehand. LMDB is not let meet a disk that takes no
 * page: the library words that failure in a buffer of 100 bytes, which is too small where the file is large, and may end the process.
 */
import { closeSync, fstatSync, openSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Files } from '#sys/fs/types.ts';
import { codeOf, isFault, messageOf } from '#lib/errors.ts';

/**
 * Bytes that must be there for a write that removes, and for one that adds beyond what it adds itself: each page that it
 * changes is written anew. What is there for a removal no addition takes, so that a full disk can be emptied.
 */
const toRemove = 512 * 1024;
const toAdd = 1024 * 1024;
/** Bytes that are set aside at a time. */
const step = 2 * 1024 * 1024;

/** File systems, by the number that statfs(2) gives, where a block that was set aside is there for good: ext, XFS, tmpfs. */
const keepsBlocks: ReadonlySet<number> = new Set([0xef53, 0x58465342, 0x01021994]);

export class Room {
  readonly #directory: string;
  readonly #files: Pick<Files, 'reserve'> | undefined;
  readonly #data: number;
  readonly #probe: number;
  /** Where in the data file what was set aside ends; 0: nothing was yet. */
  #end = 0;

  /** The directory of an open database. */
  constructor(directory: string, files: Pick<Files, 'reserve'> | undefined) {
    this.#directory = directory;
    this.#files = files && keepsBlocks.has(statfsSync(directory).type) ? files : undefined;
    this.#data = openSync(join(directory, 'data.mdb'), 'r+');
    this.#probe = openSync(join(directory, 'opened'), 'r+');
  }

  /** Throws, in a line, where the disk takes no write now, or not one that adds so many bytes (0: it removes). */
  require(added: number): void {
    this.probe();
    const bytes = added === 0 ? toRemove : toRemove + toAdd + 4 * added;
    if (!this.#files || !this.#setAside(bytes, this.#files)) this.#lookUp(bytes);
  }

  /** Throws where the disk takes no write, however small: it failed, or became read-only. */
  probe(): void {
    try {
      writeSync(this.#probe, '1', 0);
    } catch (error) {
      if (codeOf(error) !== 'ENOSPC') throw new Error(`the disk of ${this.#directory} takes no writes: ${messageOf(error)}`, { cause: error });
    }
  }

  close(): void {
    closeSync(this.#data);
    closeSync(this.#probe);
  }

  /** False where the file system cannot, as it turns out. */
  #setAside(bytes: number, files: Pick<Files, 'reserve'>): boolean {
    const { size } = fstatSync(this.#data);
    if (this.#end - size >= bytes) return true;
    const more = Math.max(bytes, step);
    try {
      // at first also what the file itself passes over
      const from = this.#end === 0 ? 0 : size;
      files.reserve(this.#data, from, size - from + more);
      this.#end = size + more;
      return true;
    } catch (error) {
      if (isFault(error, 'not-implemented')) return false;
      throw this.#full(Math.max(0, this.#end - size), bytes, error);
    }
  }

  #lookUp(bytes: number): void {
    const { bfree, bsize } = statfsSync(this.#directory);
    if (bfree * bsize < bytes) throw this.#full(bfree * bsize, bytes);
  }

  #full(free: number, bytes: number, cause?: unknown): Error {
    return new Error(`no space left on device: the disk of ${this.#directory} has ${free} bytes for it, and the write may take ${bytes}`, { cause });
  }
}
