/** Makes a layer blob of a plain tar: compressed, hashed both ways, stored. */
import { createHash } from 'node:crypto';
import { createGzip } from 'node:zlib';
import { Readable } from 'node:stream';
import { mediaTypes } from '#api/oci/image.ts';
import type { Content, Descriptor, Digest } from '#core/content/types.ts';

/** A fast level: the network is seldom the narrow part on one host. */
const compressionLevel = 1;

export async function storeLayer(content: Content, tar: AsyncIterable<Uint8Array>, ref: string): Promise<{ descriptor: Descriptor; diffId: Digest }> {
  const plain = createHash('sha256');
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const chunk of tar) {
      plain.update(chunk);
      yield chunk;
    }
  }
  const source = Readable.from(hashed(), { objectMode: false });
  const gzip = createGzip({ level: compressionLevel });
  source.on('error', (error) => gzip.destroy(error));
  source.pipe(gzip);
  const ingest = await content.ingest(ref);
  try {
    if (ingest.offset > 0) await ingest.truncate();
    for await (const chunk of gzip as AsyncIterable<Buffer>) await ingest.write(chunk);
    const { digest, size } = await ingest.commit();
    return { descriptor: { mediaType: mediaTypes.dockerLayerGzip, digest, size }, diffId: `sha256:${plain.digest('hex')}` };
  } catch (error) {
    await ingest.close({ discard: true });
    throw error;
  }
}
