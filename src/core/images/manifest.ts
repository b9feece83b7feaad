import type { ImageConfig, ImageIndex, ImageManifest } from '#api/oci/image.ts';
import { indexMediaTypes, manifestMediaTypes, mediaTypes } from '#api/oci/image.ts';
import { Fault } from '#lib/errors.ts';
import { isDigest } from '#core/content/types.ts';
import type { Descriptor } from '#core/content/types.ts';

export const manifestLimits = {
  /** Bytes of a manifest, an index or a config. */
  bytes: 4 * 1024 * 1024,
  /** Layers of a manifest. */
  layers: 127,
  /** Manifests of an index. */
  manifests: 1024,
  /** Indexes inside of one another. */
  nesting: 3,
} as const;

type Json = Record<string, unknown>;

export type ParsedManifest = { kind: 'manifest'; manifest: ImageManifest } | { kind: 'index'; index: ImageIndex };

/** A manifest or index from a registry or an archive: validated, `invalid` where it breaks the specification. */
export function parseManifest(data: Uint8Array, mediaType: string | undefined, what: string): ParsedManifest {
  const value = objectOf(data, what);
  const type = typeof value.mediaType === 'string' ? value.mediaType : mediaType;
  if (type === mediaTypes.dockerManifestV1 || type === mediaTypes.dockerManifestV1Signed || value.schemaVersion === 1) {
    throw new Fault('not-implemented', `${what}: Docker image manifest schema 1 is not supported; push the image anew with a current tool`);
  }
  if (value.schemaVersion !== 2) throw bad(what, 'schemaVersion is not 2');
  // A document that could be read both ways would mean different things to different readers.
  if (value.manifests !== undefined && value.layers !== undefined) throw bad(what, 'it is a manifest and an index at once');
  if ((type !== undefined && indexMediaTypes.includes(type)) || (type === undefined && value.manifests !== undefined)) {
    const manifests = descriptors(value.manifests, manifestLimits.manifests, `${what}: manifests`);
    return { kind: 'index', index: { ...(value as unknown as ImageIndex), manifests } };
  }
  if (type !== undefined && !manifestMediaTypes.includes(type)) throw bad(what, `media type ${type} is not supported`);
  const config = descriptor(value.config, `${what}: config`);
  const layers = descriptors(value.layers, manifestLimits.layers, `${what}: layers`);
  return { kind: 'manifest', manifest: { ...(value as unknown as ImageManifest), config, layers } };
}

/** An image config; what containers are made from it must be of the right types. */
export function parseConfig(data: Uint8Array, what: string): ImageConfig {
  const value = objectOf(data, what);
  const rootfs = value.rootfs as Json | undefined;
  const diffIds = rootfs?.diff_ids ?? [];
  if (typeof rootfs !== 'object' || rootfs === null || rootfs.type !== 'layers') throw bad(what, 'rootfs.type is not "layers"; it is no container image');
  if (!Array.isArray(diffIds) || !diffIds.every((id) => typeof id === 'string' && isDigest(id))) throw bad(what, 'rootfs.diff_ids holds something that is no digest');
  for (const field of ['os', 'architecture', 'variant', 'created', 'author']) optional(value, field, isString, what);
  optional(value, 'history', (list) => Array.isArray(list) && list.every(isObject), what);
  optional(value, 'config', isObject, what);
  if (value.config) checkContainer(value.config as Json, `${what}: config`);
  const config = value as unknown as ImageConfig;
  return { ...config, os: config.os || 'linux', architecture: config.architecture || '', rootfs: { type: 'layers', diff_ids: diffIds } };
}

function checkContainer(config: Json, what: string): void {
  for (const field of ['User', 'WorkingDir', 'StopSignal', 'Hostname', 'Domainname']) optional(config, field, isString, what);
  for (const field of ['Env', 'Cmd', 'Entrypoint', 'OnBuild', 'Shell']) optional(config, field, isStrings, what);
  for (const field of ['ExposedPorts', 'Volumes', 'Healthcheck']) optional(config, field, isObject, what);
  optional(config, 'Labels', (labels) => isObject(labels) && Object.values(labels).every(isString), what);
}

function optional(value: Json, field: string, test: (value: unknown) => boolean, what: string): void {
  const found = value[field];
  if (found !== undefined && found !== null && !test(found)) throw bad(what, `${field} is of the wrong type`);
}

function descriptors(value: unknown, limit: number, what: string): Descriptor[] {
  if (!Array.isArray(value)) throw bad(what, 'not a list');
  if (value.length > limit) throw new Fault('too-large', `${what}: ${value.length} entries, over the limit of ${limit}`);
  return value.map((entry, i) => descriptor(entry, `${what}[${i}]`));
}

function descriptor(value: unknown, what: string): Descriptor {
  if (!isObject(value)) throw bad(what, 'not an object');
  const { mediaType, digest, size, platform, annotations } = value;
  if (typeof mediaType !== 'string') throw bad(what, 'no media type');
  if (typeof digest !== 'string' || !isDigest(digest)) throw bad(what, 'its digest is not of the form sha256:<64 hex>');
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw bad(what, 'its size is no whole number');
  if (platform !== undefined && !(isObject(platform) && isString(platform.os) && isString(platform.architecture))) throw bad(what, 'its platform has no os or architecture');
  if (annotations !== undefined && annotations !== null && !(isObject(annotations) && Object.values(annotations).every(isString))) throw bad(what, 'its annotations are no texts');
  return value as unknown as Descriptor;
}

function objectOf(data: Uint8Array, what: string): Json {
  if (data.length > manifestLimits.bytes) throw new Fault('too-large', `${what} has ${data.length} bytes, over the limit of ${manifestLimits.bytes}`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data));
  } catch (error) {
    throw new Fault('invalid', `${what} is not valid JSON`, { cause: error });
  }
  if (!isObject(value)) throw bad(what, 'not an object');
  return value;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isString(value: unknown): value is string {
  return typeof value === 'string';
}

function isStrings(value: unknown): boolean {
  return Array.isArray(value) && value.every(isString);
}

function bad(what: string, why: string): Fault {
  return new Fault('invalid', `${what}: ${why}`);
}
