import { TarDecoder } from '#lib/tar/decode.ts';
import { decompress } from '#lib/tar/decompress.ts';
import type { TarEntry } from '#lib/tar/types.ts';
import { Fault } from '#lib/errors.ts';
import type { Files } from '#sys/fs/types.ts';
import { LayerWriter } from './layer-writer.ts';

/** Confined file access on the host, for rooms that do not know the kernel. */
export type { Files as HostFiles } from '#sys/fs/types.ts';

export interface ExtractOptions {
  /** Changes an entry before it is written; undefined leaves it out. */
  map?: (entry: TarEntry) => TarEntry | undefined;
  /** Bytes of all files together; more is `too-large`. */
  limitBytes: number;
  /** Entries at the most; more is `too-large`. */
  limitEntries: number;
  signal?: AbortSignal;
}

/**
 * Extracts an archive that is no layer (a build context, an ADDed or copied archive; plain, gzip or zstd) below the
 * directory `root`. Nothing lands outside of it, whatever names and links the archive has. On this thread.
 */
export async function extractArchive(source: AsyncIterable<Uint8Array>, root: string, files: Files, options: ExtractOptions): Promise<{ bytes: number; entries: number }> {
  const writer = new LayerWriter(root, files, { whiteouts: false });
  const decoder = new TarDecoder();
  let skipping = false;
  try {
    for await (const chunk of decompress(source)) {
      options.signal?.throwIfAborted();
      for (const event of decoder.push(chunk)) {
        if ('entry' in event) {
          const entry = options.map ? options.map(event.entry) : event.entry;
          skipping = entry === undefined;
          if (entry) writer.begin(entry);
        } else if (skipping) continue;
        else if ('data' in event) writer.data(event.data);
        else writer.end();
        if (writer.bytes > options.limitBytes) throw new Fault('too-large', `archive: more than ${options.limitBytes} bytes`);
        if (writer.inodes > options.limitEntries) throw new Fault('too-large', `archive: more than ${options.limitEntries} entries`);
      }
    }
    decoder.finish();
    writer.finish();
  } finally {
    writer.close();
  }
  return { bytes: writer.bytes, entries: writer.inodes };
}
