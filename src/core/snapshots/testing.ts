/** For tests of this room and of those above it: layers made from entries, and a real store in a temporary directory. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { mediaTypes } from '#api/oci/image.ts';
import { systemClock } from '#lib/clock.ts';
import { silentLogger } from '#lib/log.ts';
import { systemRandom } from '#lib/random.ts';
import { tarEntry } from '#lib/tar/types.ts';
import type { TarEntry } from '#lib/tar/types.ts';
import { encodeTar } from '#lib/tar/write.ts';
import type { TarSource } from '#lib/tar/write.ts';
import type { Content, Descriptor, Digest } from '#core/content/types.ts';
import { openContent } from '#core/content/store.ts';
import { createMemoryStore, MemoryDisk } from '#core/store/memory/store.ts';
import { createRecords } from '#core/store/records.ts';
import type { OpenRecords } from '#core/store/records.types.ts';
import { linuxFiles } from '#sys/fs/linux.ts';
import { linuxMounts } from '#sys/mount/linux.ts';
import { openSnapshots } from './overlay/open.ts';
import type { Snapshots } from './types.ts';

export const file = (name: string, text = name, fields: Partial<TarEntry> = {}): TarSource => {
  const body = Buffer.from(text);
  return { entry: tarEntry(name, 'file', { ...fields, size: body.length }), body };
};
export const directory = (name: string, fields: Partial<TarEntry> = {}): TarSource => ({ entry: tarEntry(name, 'directory', fields) });
export const symlink = (name: string, linkName: string): TarSource => ({ entry: tarEntry(name, 'symlink', { linkName }) });
export const link = (name: string, linkName: string): TarSource => ({ entry: tarEntry(name, 'link', { linkName }) });

export async function tarOf(members: readonly TarSource[]): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of encodeTar(members)) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

export interface TestLayer {
  descriptor: Descriptor;
  diffId: Digest;
}

/** Puts a layer of `members` into content, compressed by `compress`. */
export async function putLayer(content: Content, members: readonly TarSource[], compress: (data: Buffer) => Buffer = (data) => gzipSync(data)): Promise<TestLayer> {
  const tar = await tarOf(members);
  const data = compress(tar);
  const digest = await content.put(data);
  return { descriptor: { mediaType: mediaTypes.ociLayerGzip, digest, size: data.length }, diffId: sha256(tar) };
}

export function sha256(data: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}

export interface TestPlace {
  root: string;
  content: Content;
  snapshots: Snapshots;
  records: OpenRecords;
  /** As a restart of the daemon: everything opened anew over the same files and records. */
  reopen(changes?: { bootId?: string }): Promise<void>;
  end(): Promise<void>;
}

/** Content and overlay snapshots on the real kernel. `end` removes all of it, mounts too. */
export async function testPlace(name = 'place'): Promise<TestPlace> {
  const root = mkdtempSync(join(tmpdir(), `${name}-`));
  const mounts = linuxMounts();
  const disk = new MemoryDisk();
  const open = async (changes: { bootId?: string } = {}) => {
    const content = await openContent({ root, clock: systemClock, random: systemRandom });
    const records = createRecords(createMemoryStore({ disk }));
    const snapshots = await openSnapshots({ root, content, records, kernel: { mounts, files: linuxFiles() }, clock: systemClock, random: systemRandom, log: silentLogger, ...changes });
    return { content, records, snapshots };
  };
  let opened = await open();
  return {
    root,
    get content() {
      return opened.content;
    },
    get snapshots() {
      return opened.snapshots;
    },
    get records() {
      return opened.records;
    },
    async reopen(changes) {
      await opened.snapshots.close();
      opened = await open(changes);
    },
    async end() {
      await opened.snapshots.close();
      mounts.unmountTree(root);
      rmSync(root, { recursive: true, force: true });
    },
  };
}
