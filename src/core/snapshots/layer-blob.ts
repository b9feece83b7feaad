import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { createGzip, constants } from 'node:zlib';
import { mediaTypes } from '#api/oci/image.ts';
import type { Content, Descriptor, Digest } from '#core/content/types.ts';

/** Stores a layer tar in `content`, compressed fast by gzip. `ref` names the ingest. */
export async function storeLayer(content: Content, tar: AsyncIterable<Uint8Array>, ref: string): Promise<{ descriptor: Descriptor; diffId: Digest }> {
  const hash = createHash('sha256');
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const chunk of tar) {
      hash.update(chunk);
      yield chunk;
    }
  }
  const gzip = createGzip({ level: constants.Z_BEST_SPEED, chunkSize: 256 * 1024 });
  const input = Readable.from(hashed(), { objectMode: false, highWaterMark: 256 * 1024 });
  input.on('error', (error) => gzip.destroy(error));
  // It may fail before anyone reads from it; the reader is told then.
  gzip.on('error', () => {});
  input.pipe(gzip);
  const ingest = await content.ingest(ref);
  try {
    await ingest.truncate();
    for await (const chunk of gzip) await ingest.write(chunk as Buffer);
    const { digest, size } = await ingest.commit();
    return { descriptor: { mediaType: mediaTypes.ociLayerGzip, digest, size }, diffId: `sha256:${hash.digest('hex')}` };
  } finally {
    input.destroy();
    gzip.destroy();
    await ingest.close({ discard: true });
  }
}
