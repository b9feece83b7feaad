import { createHash } from 'node:crypto';
import { mkdir, open, opendir, readFile, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Clock } from '#lib/clock.ts';
import { Fault, codeOf } from '#lib/errors.ts';
import { hex } from '#lib/random.ts';
import type { Random } from '#lib/random.ts';
import { FileIngest } from './ingest.ts';
import { isDigest } from './types.ts';
import type { Content, Digest, Ingest } from './types.ts';

export const contentLimits = {
  /** Bytes of a blob whose size is not known beforehand. */
  blobBytes: 64 * 1024 ** 3,
  /** Bytes of a blob read as a whole, unless the reader says otherwise. */
  readBytes: 4 * 1024 * 1024,
  /** Milliseconds after its last write that an unfinished ingest is kept for its download to resume. */
  staleIngestMs: 24 * 3600 * 1000,
} as const;

export interface ContentOptions {
  /** Blobs are below `<root>/blobs/sha256`, ingests below `<root>/ingests`. */
  root: string;
  clock: Clock;
  random: Random;
}

/** Opens the content store at `root`, making it where there is none, and drops ingests that nobody resumed, or ever will. */
export async function openContent(options: ContentOptions): Promise<Content> {
  const blobs = join(options.root, 'blobs', 'sha256');
  const ingests = join(options.root, 'ingests');
  await mkdir(blobs, { recursive: true, mode: 0o700 });
  await mkdir(ingests, { recursive: true, mode: 0o700 });
  for await (const entry of await opendir(ingests)) {
    const file = join(ingests, entry.name);
    const { mtimeMs } = await stat(file);
    const isStale = !entry.name.endsWith(resumesMark) || options.clock.now() - mtimeMs > contentLimits.staleIngestMs;
    if (isStale) await rm(file, { force: true });
  }
  return new FileContent(blobs, ingests, options.random);
}

/** Ends the names of ingests that a later daemon may take up. */
const resumesMark = '.resumes';

class FileContent implements Content {
  readonly #blobs: string;
  readonly #ingests: string;
  readonly #random: Random;
  readonly #writing = new Set<string>();

  constructor(blobs: string, ingests: string, random: Random) {
    this.#random = random;
    this.#blobs = blobs;
    this.#ingests = ingests;
  }

  path(digest: Digest): string {
    // A digest becomes a path: nothing but 64 hexadecimal digits may pass.
    if (!isDigest(digest)) throw new Fault('invalid', `invalid digest ${JSON.stringify(digest)}: want sha256:<64 hex>`);
    return join(this.#blobs, digest.slice('sha256:'.length));
  }

  async stat(digest: Digest): Promise<{ size: number } | undefined> {
    try {
      return { size: (await stat(this.path(digest))).size };
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  async open(digest: Digest, range: { start?: number; end?: number } = {}): Promise<Readable> {
    const handle = await open(this.path(digest), 'r').catch((error: unknown) => {
      throw missing(error, digest);
    });
    // `end` is exclusive here, and inclusive in Node.
    const end = range.end === undefined ? undefined : range.end - 1;
    const start = range.start ?? 0;
    if (end !== undefined && end < start) {
      await handle.close();
      return Readable.from([], { objectMode: false });
    }
    return handle.createReadStream({ start, end, highWaterMark: 256 * 1024 });
  }

  async read(digest: Digest, limitBytes: number = contentLimits.readBytes): Promise<Buffer> {
    const found = await this.stat(digest);
    if (!found) throw missing({ code: 'ENOENT' }, digest);
    if (found.size > limitBytes) {
      throw new Fault('too-large', `blob ${digest} has ${found.size} bytes, over the limit of ${limitBytes}`);
    }
    return readFile(this.path(digest)).catch((error: unknown) => {
      throw missing(error, digest);
    });
  }

  async ingest(ref: string, expected: { digest?: Digest; size?: number; resumes?: boolean } = {}): Promise<Ingest> {
    if (this.#writing.has(ref)) throw new Fault('conflict', `content: ${ref} is being written by another request`);
    if (expected.digest !== undefined) this.path(expected.digest);
    this.#writing.add(ref);
    try {
      const file = join(this.#ingests, createHash('sha256').update(ref).digest('hex') + (expected.resumes ? resumesMark : ''));
      return await FileIngest.open({
        ref,
        file,
        expected,
        limitBytes: contentLimits.blobBytes,
        blobPath: (digest) => this.path(digest),
        onClosed: () => this.#writing.delete(ref),
      });
    } catch (error) {
      this.#writing.delete(ref);
      throw error;
    }
  }

  async put(data: Uint8Array): Promise<Digest> {
    const digest: Digest = `sha256:${createHash('sha256').update(data).digest('hex')}`;
    if (await this.stat(digest)) return digest;
    // Two may store the same blob at once: each has an ingest of its own.
    const ingest = await this.ingest(`put-${hex(this.#random, 8)}`, { digest, size: data.length });
    try {
      await ingest.write(data);
      await ingest.commit();
    } finally {
      await ingest.close({ discard: true });
    }
    return digest;
  }

  async delete(digest: Digest): Promise<boolean> {
    try {
      await unlink(this.path(digest));
      return true;
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false;
      throw error;
    }
  }

  async *list(): AsyncGenerator<{ digest: Digest; size: number; modifiedAt: number }> {
    for await (const entry of await opendir(this.#blobs)) {
      const digest = `sha256:${entry.name}`;
      if (!isDigest(digest)) continue;
      const info = await stat(join(this.#blobs, entry.name)).catch(() => undefined);
      if (info) yield { digest, size: info.size, modifiedAt: info.mtimeMs };
    }
  }
}

function missing(error: unknown, digest: Digest): unknown {
  if (codeOf(error) !== 'ENOENT') return error;
  return new Fault('not-found', `blob ${digest} is not in the content store`, { cause: error });
}
