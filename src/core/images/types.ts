/**
 * Images: a name (`docker.io/library/redis:7`) points at a manifest or an index in the content store; the
 * image's *id* is the digest of its config for this platform, as classic Docker has it. The same images serve
 * the engine, the builder and the kubelet.
 */
import type { Readable } from 'node:stream';
import type { ImageConfig } from '#api/oci/image.ts';
import type { Content, Descriptor, Digest, Platform } from '#core/content/types.ts';
import type { ChainId } from '#core/snapshots/types.ts';
import type { PeerOffer } from './peers/types.ts';

export interface Images {
  /** All images, each once, newest first. */
  list(): readonly Image[];
  /** By name in any form that Docker takes (`redis`, `redis:7`, `name@digest`), id, or unique id prefix. */
  get(reference: string): Image | undefined;
  /** The image of `manifest`, whose blobs are in content: layers are unpacked, names added. */
  add(manifest: Descriptor, names: readonly string[], options?: { onProgress?: PullProgress; signal?: AbortSignal }): Promise<Image>;
  tag(id: Digest, name: string): Promise<void>;
  /** Removes one name; the image stays until `remove`. */
  untag(name: string): Promise<void>;
  /** Removes an image with its names and the layers and blobs that nothing else needs; returns the chain ids removed. */
  remove(id: Digest): Promise<ChainId[]>;
  /** Removes those of `chains` that no image, snapshot or other layer needs, with their blobs; returns them. */
  removeLayers(chains: readonly ChainId[]): Promise<ChainId[]>;
  /** From a registry (or a mirror of it), with what is missing; blobs that peers have come from them. Verified by digest. */
  pull(reference: string, options?: PullOptions): Promise<PullResult>;
  /**
   * What peers have under a reference that is better than what is here, the newest first: anything where nothing is here,
   * and later builds of what was built in the cluster. Nothing for what is here from a registry: that one alone can tell.
   */
  offers(reference: string, options?: { signal?: AbortSignal }): Promise<PeerOffer[]>;
  /** Copies the first of `offers` that can be had from those who have it; asks no registry. */
  copy(reference: string, offers: readonly PeerOffer[], options?: PullOptions): Promise<PullResult>;
  /** The tags of a repository at its registry. */
  listTags(repository: string, options?: PullOptions): Promise<string[]>;
  push(reference: string, options?: PushOptions): Promise<{ digest: Digest; size: number }>;
  /**
   * Asks a registry (`host[:port]`, or a URL of it) whether it takes these credentials: `unauthenticated` where not. Some give
   * a token that stands for the password from then on.
   */
  login(server: string, auth: RegistryAuth, options?: { signal?: AbortSignal }): Promise<{ identityToken?: string }>;
  /** What a registry says of a reference, without pulling. */
  resolveRemote(reference: string, options?: PullOptions): Promise<{ descriptor: Descriptor; platforms: Platform[] }>;
  /**
   * Makes an image from layers whose blobs exist, base first (the builder, commit, import). The id is the digest of
   * `configData` where the config came as bytes.
   */
  assemble(config: ImageConfig, layers: readonly Descriptor[], names: readonly string[], options?: AssembleOptions): Promise<Image>;
  /** A `docker save` archive (OCI layout with manifest.json). */
  save(references: readonly string[]): Promise<Readable>;
  /** Loads a docker-archive or OCI layout, plain, gzip or zstd. */
  load(archive: Readable, options?: { onProgress?: PullProgress; signal?: AbortSignal }): Promise<LoadedImage[]>;
  readonly content: Content;
}

export interface Image {
  id: Digest;
  manifest: Descriptor;
  /** Fully qualified names with tag, sorted. */
  names: readonly string[];
  /** `repository@digest` for what came from or went to a registry. */
  digests: readonly string[];
  config: ImageConfig;
  /** Layer descriptors, base first. */
  layers: readonly Descriptor[];
  chain: ChainId;
  /** Unpacked bytes of all layers. */
  size: number;
  parent?: Digest;
  /** When it got its newest name, ms. */
  taggedAt: number;
  /** When each of its names was given, ms; what was copied from a peer has the times from there. */
  namedAt: Readonly<Record<string, number>>;
  /** The indexes that led to its manifest when it was pulled, outermost first; they are in content. */
  indexes?: readonly Descriptor[];
  /** Who alone wants it (`PullOptions.owner`); absent once anybody else has named, built or pulled it. */
  owner?: string;
}

export interface AssembleOptions {
  parent?: Digest;
  configData?: Uint8Array;
  onProgress?: PullProgress;
  signal?: AbortSignal;
}

export interface RegistryAuth {
  username?: string;
  password?: string;
  identityToken?: string;
  registryToken?: string;
  serverAddress?: string;
}

export interface PullOptions {
  auth?: RegistryAuth;
  platform?: Platform;
  /** For whom it is pulled, who may remove it again; absent: for the user. */
  owner?: string;
  onProgress?: PullProgress;
  signal?: AbortSignal;
}

export interface PushOptions {
  auth?: RegistryAuth;
  onProgress?: PullProgress;
  signal?: AbortSignal;
}

export interface PullResult {
  image: Image;
  digest: Digest;
  /** False where all was there already. */
  updated: boolean;
}

export interface LoadedImage {
  image: Image;
  names: string[];
}

/**
 * One step of one layer, in Docker's words (`Pulling fs layer`, `Downloading`, `Pushed`, `Loading layer`, …); bytes. What
 * is said of the whole (`Digest: …`, `Status: …`) is for the caller to say.
 */
export type PullProgress = (event: { layer?: Digest; status: string; current?: number; total?: number }) => void;
