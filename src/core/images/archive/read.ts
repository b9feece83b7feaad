import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { Fault, isFault } from '#lib/errors.ts';
import { decompress } from '#lib/tar/decompress.ts';
import { readTar } from '#lib/tar/read.ts';
import type { TarMember } from '#lib/tar/read.ts';
import type { Content, Descriptor, Digest } from '#core/content/types.ts';
import { storeLayer } from '#core/snapshots/layer-blob.ts';

export const archiveLimits = {
  /** Members of an image archive. */
  members: 10_000,
  /** Bytes of one JSON document in it. */
  documentBytes: 4 * 1024 * 1024,
  /** Bytes of all JSON documents outside of `blobs/`. */
  documentsBytes: 64 * 1024 * 1024,
  /** Symbolic links followed for one name. */
  links: 8,
} as const;

/** What an image archive held: documents in memory, everything else as blobs in content. */
export interface ReadArchive {
  document(path: string): Buffer | undefined;
  /** The layer archive at a path of Docker's own format. */
  layer(path: string): { descriptor: Descriptor; diffId: Digest } | undefined;
}

/** Reads a whole image archive, plain or compressed. `keep` is told each blob before it is used, and whether it is new. */
export async function readArchive(content: Content, archive: Readable, ref: string, keep: (digest: Digest, isNew: boolean) => Promise<void>): Promise<ReadArchive> {
  const documents = new Map<string, Buffer>();
  const layers = new Map<string, { descriptor: Descriptor; diffId: Digest }>();
  const links = new Map<string, string>();
  let members = 0;
  let documentBytes = 0;
  for await (const member of readTar(decompress(archive))) {
    if (++members > archiveLimits.members) throw new Fault('too-large', `the image archive has more than ${archiveLimits.members} members`);
    const { entry } = member;
    const path = clean(entry.name);
    if (entry.type === 'symlink') links.set(path, clean(posix.join(posix.dirname(path), entry.linkName)));
    else if (entry.type === 'link') links.set(path, clean(entry.linkName));
    if (entry.type !== 'file') continue;
    const blob = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(path);
    if (blob) {
      const digest: Digest = `sha256:${blob[1]!}`;
      await keep(digest, (await content.stat(digest)) === undefined);
      await storeBlob(content, member, digest, ref);
    }
    else if (isDocument(path)) {
      const data = await member.read(archiveLimits.documentBytes);
      documentBytes += data.length;
      if (documentBytes > archiveLimits.documentsBytes) throw new Fault('too-large', `the documents of the image archive are over ${archiveLimits.documentsBytes} bytes`);
      documents.set(path, data);
    } else if (entry.size > 0) {
      const layer = await storeArchiveLayer(content, member, `${ref} ${path}`);
      layers.set(path, layer);
      await keep(layer.descriptor.digest, true);
    }
  }
  const resolve = (name: string): string => {
    let path = clean(name);
    for (let i = 0; i < archiveLimits.links && links.has(path); i++) path = links.get(path)!;
    return path;
  };
  return {
    document: (path) => documents.get(resolve(path)),
    layer: (path) => layers.get(resolve(path)),
  };
}

/** Names of files in Docker's format that are no layers: `manifest.json`, `<id>.json`, `<id>/json`, `<id>/VERSION`. */
function isDocument(path: string): boolean {
  return path.endsWith('.json') || /(^|\/)(json|VERSION|oci-layout|repositories)$/.test(path);
}

async function storeBlob(content: Content, member: TarMember, digest: Digest, ref: string): Promise<void> {
  if (await content.stat(digest)) return;
  const ingest = await content.ingest(`${ref} ${digest}`, { digest, size: member.entry.size });
  try {
    await ingest.truncate();
    for await (const piece of member.body()) await ingest.write(piece);
    await ingest.commit();
  } catch (error) {
    if (isFault(error, 'invalid')) throw new Fault('invalid', `the image archive is damaged: ${error.message}`, { cause: error });
    throw error;
  } finally {
    await ingest.close({ discard: true });
  }
}

/** A layer in Docker's format is mostly a plain tar: it is kept compressed, as layers from a registry are. */
async function storeArchiveLayer(content: Content, member: TarMember, ref: string): Promise<{ descriptor: Descriptor; diffId: Digest }> {
  return storeLayer(content, decompress(member.body()), ref);
}

/** A path inside of the archive; it never becomes one on disk. */
function clean(name: string): string {
  return posix.normalize(`/${name}`).slice(1).replace(/\/$/, '');
}
