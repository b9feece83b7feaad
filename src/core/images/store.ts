import type { Readable } from 'node:stream';
import type { ImageConfig } from '#api/oci/image.ts';
import { assert } from '#lib/assert.ts';
import { Fault } from '#lib/errors.ts';
import type { Random } from '#lib/random.ts';
import type { Content, Descriptor, Digest, Platform } from '#core/content/types.ts';
import { chainsOf } from '#core/snapshots/chain.ts';
import type { ChainId, Snapshots } from '#core/snapshots/types.ts';
import { checkLayers, readImage, unpackLayers, writeImage } from './adopt.ts';
import { loadArchive } from './archive/load.ts';
import { saveArchive } from './archive/save.ts';
import type { ImageCatalog } from './catalog.ts';
import { blobsOf } from './collect.ts';
import type { Brought, Collector } from './collect.ts';
import { hostPlatform } from './platform.ts';
import { copyImage } from './peers/copy.ts';
import type { PeerFinder } from './peers/find.ts';
import type { PeerOffer } from './peers/types.ts';
import { familiarString, isFromRegistry, parseReference, taggedName } from './reference.ts';
import type { Reference } from './reference.ts';
import type { RegistryClient } from './remote/client.ts';
import { loginTo } from './remote/login.ts';
import { pullImage } from './remote/pull.ts';
import { pushImage } from './remote/push.ts';
import { resolveImage } from './remote/resolve.ts';
import { listTags } from './remote/tags.ts';
import type { AssembleOptions, Image, Images, LoadedImage, PullOptions, PullProgress, PullResult, PushOptions, RegistryAuth } from './types.ts';

export interface StoreParts {
  content: Content;
  snapshots: Snapshots;
  catalog: ImageCatalog;
  collector: Collector;
  client: RegistryClient;
  random: Random;
  /** Where there are peers. */
  finder?: PeerFinder;
}

type WorkOptions = { onProgress?: PullProgress; signal?: AbortSignal };

export class StoredImages implements Images {
  readonly content: Content;
  readonly #parts: StoreParts;

  constructor(parts: StoreParts) {
    this.#parts = parts;
    this.content = parts.content;
  }

  list(): readonly Image[] {
    return this.#parts.catalog.list();
  }

  get(reference: string): Image | undefined {
    return this.#parts.catalog.get(reference);
  }

  add(manifest: Descriptor, names: readonly string[], options: WorkOptions & { platform?: Platform } = {}): Promise<Image> {
    const { collector, content, snapshots } = this.#parts;
    const brought: Brought = { blobs: [], chains: [] };
    return collector.undoing(brought, () => collector.pinned([manifest.digest], async (pin) => {
      const read = await readImage(content, manifest, options.platform ?? hostPlatform());
      brought.chains = chainsOf(read.config.rootfs.diff_ids).filter((chain) => !snapshots.has(chain));
      await pin(digestsOf(read.descriptor, read.manifest.config.digest, read.manifest.layers, read.config));
      for (const layer of read.manifest.layers) {
        if (!(await content.stat(layer.digest))) throw new Fault('not-found', `layer blob ${layer.digest} of manifest ${manifest.digest} is not in the content store`);
      }
      return this.#adopt(read.manifest.config.digest, read.descriptor, read.manifest.layers, read.config, names, options);
    }));
  }

  async assemble(config: ImageConfig, layers: readonly Descriptor[], names: readonly string[], options: AssembleOptions = {}): Promise<Image> {
    const { collector, content, snapshots } = this.#parts;
    checkLayers(layers, config, 'the image');
    const blobs = layers.map((layer) => layer.digest);
    const chains = chainsOf(config.rootfs.diff_ids);
    const brought: Brought = { blobs, chains: chains.filter((chain) => !snapshots.has(chain)) };
    return collector.undoing(brought, () => collector.pinned([...blobs, ...chains], async (pin) => {
      const { id, manifest } = await writeImage(content, config, layers, options.configData);
      brought.blobs = [...blobs, id, manifest.digest];
      // Writing is idempotent: what a removal took between is written again under the pin.
      await pin([id, manifest.digest]);
      await writeImage(content, config, layers, options.configData);
      return this.#adopt(id, manifest, layers, config, names, options, options.parent);
    }));
  }

  async #adopt(id: Digest, manifest: Descriptor, layers: readonly Descriptor[], config: ImageConfig, names: readonly string[], options: WorkOptions, parent?: Digest): Promise<Image> {
    const { catalog, snapshots, collector } = this.#parts;
    const qualified = names.map(qualify);
    await unpackLayers(snapshots, { layers, config }, options);
    const old = catalog.byId(id);
    const image = await catalog.put({ id, manifest, layers, ...(parent ? { parent } : {}) }, config, { names: qualified });
    if (old) await collector.releaseBlobs(blobsOf(old));
    return image;
  }

  async tag(id: Digest, name: string): Promise<void> {
    await this.#parts.catalog.name(id, { names: [qualify(name)] });
  }

  async untag(name: string): Promise<void> {
    await this.#parts.catalog.unname(qualify(name));
  }

  async remove(id: Digest): Promise<ChainId[]> {
    const image = await this.#parts.catalog.delete(id);
    if (!image) throw new Fault('not-found', `No such image: ${id}`);
    return this.#parts.collector.release(image);
  }

  removeLayers(chains: readonly ChainId[]): Promise<ChainId[]> {
    return this.#parts.collector.releaseLayers(chains.filter((chain) => chain !== ''));
  }

  async pull(reference: string, options: PullOptions = {}): Promise<PullResult> {
    return pullImage(this.#parts, withTag(parseReference(reference)), options);
  }

  async offers(reference: string, options: { signal?: AbortSignal } = {}): Promise<PeerOffer[]> {
    const { finder, catalog } = this.#parts;
    if (!finder) return [];
    const parsed = withTag(parseReference(reference));
    const here = this.get(reference);
    if (here && (isFromRegistry(here, parsed) || parsed.digest !== undefined)) return [];
    const offers = await finder.offers(parsed, options.signal);
    if (!here) return offers;
    const name = taggedName(parsed);
    const [newest] = offers;
    const own = here.namedAt[name] ?? 0;
    if (newest?.digest === here.manifest.digest && newest.namedAt > own) await catalog.name(here.id, { names: [name], at: newest.namedAt, ...(here.owner === undefined ? {} : { owner: here.owner }) });
    return newest?.digest === here.manifest.digest ? [] : offers.filter((offer) => offer.namedAt > own);
  }

  async copy(reference: string, offers: readonly PeerOffer[], options: PullOptions = {}): Promise<PullResult> {
    const { finder } = this.#parts;
    assert(finder, 'an offer comes from peers');
    return copyImage({ ...this.#parts, finder }, withTag(parseReference(reference)), offers, options);
  }

  async push(reference: string, options: PushOptions = {}): Promise<{ digest: Digest; size: number }> {
    const parsed = withTag(parseReference(reference));
    const image = this.get(reference);
    if (!image) throw new Fault('not-found', `An image does not exist locally with the tag: ${familiarString({ ...parsed, tag: undefined })}`);
    return pushImage(this.#parts, image, parsed, options);
  }

  async listTags(repository: string, options: PullOptions = {}): Promise<string[]> {
    return listTags(this.#parts.client, parseReference(repository), options);
  }

  login(server: string, auth: RegistryAuth, options: { signal?: AbortSignal } = {}): Promise<{ identityToken?: string }> {
    return loginTo(this.#parts.client, server, auth, options.signal);
  }

  async resolveRemote(reference: string, options: PullOptions = {}): Promise<{ descriptor: Descriptor; platforms: Platform[] }> {
    return resolveImage(this.#parts.client, withTag(parseReference(reference)), options);
  }

  save(references: readonly string[]): Promise<Readable> {
    return saveArchive(this.#parts, references);
  }

  load(archive: Readable, options: WorkOptions = {}): Promise<LoadedImage[]> {
    return loadArchive({ content: this.content, images: this, collector: this.#parts.collector, ref: `load ${this.#parts.random.uuid()}` }, archive, options);
  }
}

/** All that an image needs: its documents, the blobs of its layers, and its layers. */
export function digestsOf(manifest: Descriptor, id: Digest, layers: readonly Descriptor[], config: ImageConfig): Digest[] {
  return [manifest.digest, id, ...layers.map((layer) => layer.digest), ...chainsOf(config.rootfs.diff_ids)];
}

/** The name as it is kept: qualified, with a tag, without a digest. */
function qualify(name: string): string {
  const reference = parseReference(name);
  if (reference.digest !== undefined && reference.tag === undefined) {
    throw new Fault('invalid', `refusing to create a tag with a digest reference: ${name}`);
  }
  return taggedName(reference);
}

function withTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: 'latest' } : reference;
}

