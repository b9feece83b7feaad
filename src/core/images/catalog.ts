import type { ImageConfig } from '#api/oci/image.ts';
import { KeyedMutex } from '#lib/async.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { Content, Descriptor, Digest } from '#core/content/types.ts';
import { chainOf } from '#core/snapshots/chain.ts';
import type { Snapshots } from '#core/snapshots/types.ts';
import type { Records } from '#core/store/records.types.ts';
import { unpackLayers } from './adopt.ts';
import { parseConfig } from './manifest.ts';
import { parseReference, repositoryOf, taggedName } from './reference.ts';
import type { Image } from './types.ts';

/** What is kept of an image; its config is read from content. */
export interface ImageRecord {
  id: Digest;
  manifest: Descriptor;
  layers: readonly Descriptor[];
  names: readonly string[];
  digests: readonly string[];
  /** When each name was given, ms; `taggedAt` counts for one that is not there. */
  namedAt?: Readonly<Record<string, number>>;
  /** The indexes that led to its manifest when it was pulled, outermost first. */
  indexes?: readonly Descriptor[];
  /** Who alone wants it; absent where somebody else named, built or pulled it too. */
  owner?: string;
  parent?: Digest;
  taggedAt: number;
}

type AddedImage = Omit<ImageRecord, 'taggedAt' | 'names' | 'digests' | 'namedAt' | 'owner'>;

export interface Naming {
  names?: readonly string[];
  /** `repository@digest`. */
  digests?: readonly string[];
  /** When the names were given, where that was in another store. */
  at?: number;
  owner?: string;
}

export const catalogLimits = {
  /** Names of one image. */
  names: 1000,
  /** Repository digests of one image; the oldest goes. */
  digests: 100,
} as const;

export interface CatalogParts {
  records: Records<ImageRecord>;
  content: Content;
  snapshots: Snapshots;
  clock: Clock;
  log: Logger;
}

/** All images in memory, by id and by name; changes go to the records first. A name belongs to one image. */
export class ImageCatalog {
  readonly #parts: CatalogParts;
  readonly #images = new Map<Digest, Image>();
  readonly #byName = new Map<string, Digest>();
  readonly #serial = new KeyedMutex();

  private constructor(parts: CatalogParts) {
    this.#parts = parts;
  }

  static async open(parts: CatalogParts): Promise<ImageCatalog> {
    const catalog = new ImageCatalog(parts);
    for (const record of [...parts.records.list()].sort((a, b) => a.taggedAt - b.taggedAt)) {
      const data = await parts.content.read(record.id).catch(() => undefined);
      if (data) {
        const config = parseConfig(data, `config of image ${record.id}`);
        await heal(parts, record, config);
        catalog.#show(record, config);
      } else {
        parts.log.warn('the config of an image is missing; the image is dropped', { id: record.id });
        await parts.records.delete(record.id);
      }
    }
    return catalog;
  }

  list(): readonly Image[] {
    const created = (image: Image): number => Date.parse(image.config.created ?? '') || 0;
    return [...this.#images.values()].sort((a, b) => created(b) - created(a) || b.taggedAt - a.taggedAt);
  }

  byId(id: Digest): Image | undefined {
    return this.#images.get(id);
  }

  get(reference: string): Image | undefined {
    const hex = reference.replace(/^sha256:/, '');
    if (/^[0-9a-f]{64}$/.test(hex)) return this.#images.get(`sha256:${hex}`);
    return (reference.startsWith('sha256:') ? undefined : this.#named(reference)) ?? this.#byPrefix(hex);
  }

  #named(text: string): Image | undefined {
    let reference;
    try {
      reference = parseReference(text);
    } catch {
      return undefined;
    }
    const { digest } = reference;
    if (digest === undefined) {
      const id = this.#byName.get(taggedName(reference));
      return id && this.#images.get(id);
    }
    const wanted = `${repositoryOf(reference)}@${digest}`;
    return [...this.#images.values()].find((image) => image.digests.includes(wanted))
      ?? [...this.#images.values()].find((image) => image.manifest.digest === digest && image.names.some((name) => name.startsWith(`${repositoryOf(reference)}:`)));
  }

  #byPrefix(prefix: string): Image | undefined {
    if (!/^[0-9a-f]{1,63}$/.test(prefix)) return undefined;
    const found = [...this.#images.keys()].filter((id) => id.startsWith(`sha256:${prefix}`));
    return found.length === 1 ? this.#images.get(found[0]!) : undefined;
  }

  /** Adds an image, or what is new of one that is there: its manifest, names and digests. */
  put(added: AddedImage, config: ImageConfig, { names = [], digests = [], at, owner }: Naming): Promise<Image> {
    return this.#serial.run('catalog', async () => {
      const old = this.#parts.records.get(added.id);
      const now = this.#parts.clock.now();
      const isTagged = names.some((name) => !old?.names.includes(name));
      const [parent, indexes] = [added.parent ?? old?.parent, added.indexes ?? old?.indexes];
      const record: ImageRecord = {
        ...added,
        ...(parent ? { parent } : {}),
        ...(indexes ? { indexes } : {}),
        ...(owner !== undefined && (!old || old.owner === owner) ? { owner } : {}),
        names: union(old?.names, names),
        digests: union(old?.digests, digests).slice(-catalogLimits.digests),
        namedAt: namedAt(old, names, at, now),
        taggedAt: old && !isTagged ? old.taggedAt : now,
      };
      if (record.names.length > catalogLimits.names) throw new Fault('too-large', `image ${added.id} has over ${catalogLimits.names} names; remove some`);
      await this.#parts.records.put(record);
      for (const name of names) await this.#takeName(name, added.id);
      return this.#show(record, config);
    });
  }

  /** Gives an image one more name, taking it from the one that has it; and notes digests. */
  async name(id: Digest, naming: Naming): Promise<void> {
    const image = this.#images.get(id);
    if (!image) throw new Fault('not-found', `No such image: ${id}`);
    await this.put({ id, manifest: image.manifest, layers: image.layers }, image.config, naming);
  }

  unname(name: string): Promise<void> {
    return this.#serial.run('catalog', async () => {
      if (!this.#byName.has(name)) throw new Fault('not-found', `No such image: ${name}`);
      await this.#takeName(name, undefined);
    });
  }

  delete(id: Digest): Promise<Image | undefined> {
    return this.#serial.run('catalog', async () => {
      const image = this.#images.get(id);
      if (!image) return undefined;
      await this.#parts.records.delete(id);
      this.#images.delete(id);
      for (const name of image.names) this.#byName.delete(name);
      return image;
    });
  }

  /** Removes a name from whichever image has it, unless that is `keeper`. */
  async #takeName(name: string, keeper: Digest | undefined): Promise<void> {
    const holder = this.#byName.get(name);
    if (holder === undefined || holder === keeper) return;
    const record = await this.#parts.records.update(holder, (old) => ({ ...old, names: old.names.filter((n) => n !== name) }));
    this.#byName.delete(name);
    this.#show(record, this.#images.get(holder)!.config);
  }

  #show(record: ImageRecord, config: ImageConfig): Image {
    const chain = chainOf(config.rootfs.diff_ids);
    for (const name of record.names) {
      // A crash while a name moved can leave it with both: the later one has it.
      const other = this.#images.get(this.#byName.get(name) ?? record.id);
      if (other && other.id !== record.id) this.#images.set(other.id, { ...other, names: other.names.filter((n) => n !== name) });
      this.#byName.set(name, record.id);
    }
    const image: Image = Object.freeze({ ...record, names: [...record.names].sort(), namedAt: namedAt(record, [], undefined, record.taggedAt), config, chain, size: this.#sizeOf(chain) });
    this.#images.set(record.id, image);
    return image;
  }

  #sizeOf(chain: Image['chain']): number {
    const layers = new Map(this.#parts.snapshots.layers().map((layer) => [layer.chain, layer]));
    let size = 0;
    for (let at = layers.get(chain); at; at = layers.get(at.parent)) size += at.bytes;
    return size;
  }
}

/** Unpacks layers of an image again where some are missing: their directories were lost, or had not settled on the disk. */
async function heal({ snapshots, log }: CatalogParts, record: ImageRecord, config: ImageConfig): Promise<void> {
  if (snapshots.has(chainOf(config.rootfs.diff_ids))) return;
  try {
    await unpackLayers(snapshots, { layers: record.layers, config });
    log.info('an image had lost layers; they were unpacked again', { id: record.id });
  } catch (error) {
    log.warn('an image has lost layers that cannot be unpacked again; pull or build it anew', { id: record.id, error });
  }
}

/** When each name of `old` and each of `names` was given: an old name keeps its time, unless another store's is later. */
function namedAt(old: ImageRecord | undefined, names: readonly string[], at: number | undefined, now: number): Record<string, number> {
  const times: Record<string, number> = {};
  for (const name of old?.names ?? []) times[name] = old?.namedAt?.[name] ?? old!.taggedAt;
  for (const name of names) times[name] = Math.max(times[name] ?? at ?? now, at ?? 0);
  return times;
}

function union(old: readonly string[] = [], more: readonly string[]): string[] {
  return [...new Set([...old, ...more])];
}
