import type { ContainerConfig, ImageConfig } from '#api/oci/image.ts';
import { isoTime } from '#lib/clock.ts';
import { decompress } from '#lib/tar/decompress.ts';
import type { Platform } from '#core/content/types.ts';
import { storeLayer } from '#core/snapshots/layer-blob.ts';
import { hostPlatform, normalize } from '../platform.ts';
import type { Image, Images } from '../types.ts';

export interface ImportOptions {
  names: readonly string[];
  /** Defaults for containers of the image, the changes applied. */
  config?: ContainerConfig;
  message?: string;
  platform?: Platform;
  /** Milliseconds. */
  createdAt: number;
  /** Names the ingest; one import of a ref at a time. */
  ref: string;
}

/** Makes an image of one layer from the archive of a file system, plain or compressed (`docker import`). */
export async function importImage(images: Images, archive: AsyncIterable<Uint8Array>, options: ImportOptions): Promise<Image> {
  const { descriptor, diffId } = await storeLayer(images.content, decompress(archive), `import ${options.ref}`);
  const platform = normalize(options.platform ?? hostPlatform());
  const created = isoTime(options.createdAt);
  const config: ImageConfig = {
    created,
    ...platform,
    config: options.config ?? {},
    rootfs: { type: 'layers', diff_ids: [diffId] },
    history: [{ created, comment: options.message || 'Imported from -' }],
  };
  return images.assemble(config, [descriptor], options.names);
}
