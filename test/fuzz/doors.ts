/** Every way by which an archive gets in, each on a real store of its own: what is said of it, and what it leaves. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { zstdDecompressSync, gunzipSync } from 'node:zlib';
import { mediaTypes } from '#api/oci/image.ts';
import { contextOf, openBuildBed } from '#build/testing.ts';
import { importImage } from '#core/images/archive/import.ts';
import { openImages } from '#core/images/open.ts';
import { file, tarOf, testPlace } from '#core/snapshots/testing.ts';
import { VirtualClock } from '#lib/clock-virtual.ts';
import { Fault } from '#lib/errors.ts';
import { silentLogger } from '#lib/log.ts';
import { systemRandom } from '#lib/random.ts';
import { TestEngine } from '../support/engine.ts';
import { LyingRegistry } from '../support/lying-registry.ts';

export interface Door {
  name: string;
  /** Brings the archive in, and takes away what came of it. Returns what was said against it; throws what is no fault. */
  bring(data: Buffer): Promise<string | undefined>;
  /** What is left that nobody asked for. */
  left(): Promise<string[]>;
  /** The daemon's directory: below it nothing may be planted. */
  root: string;
}

export interface Doors {
  doors: readonly Door[];
  end(): Promise<void>;
}

export async function openDoors(): Promise<Doors> {
  const opened = await Promise.all([imageDoors(), buildDoors(), copyDoor()]);
  return {
    doors: opened.flatMap((each) => each.doors),
    end: async () => {
      await Promise.all(opened.map((each) => each.end()));
    },
  };
}

async function said(work: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (!(error instanceof Fault) || error.kind === 'internal') throw error;
    return error.message;
  }
}

/** The digest of the plain archive; of the bytes as they are where they are damaged. */
function diffIdOf(data: Buffer): string {
  let plain = data;
  try {
    plain = data[0] === 0x1f ? gunzipSync(data) : data[0] === 0x28 ? zstdDecompressSync(data) : data;
  } catch {
    // then nothing is right about it
  }
  return `sha256:${createHash('sha256').update(plain).digest('hex')}`;
}

async function imageDoors(): Promise<Doors> {
  const place = await testPlace('fuzz-images');
  const registry = await LyingRegistry.start();
  const clock = new VirtualClock();
  // Waiting costs no time here.
  clock.sleep = async () => {};
  const images = await openImages({ content: place.content, snapshots: place.snapshots, records: place.records, clock, random: systemRandom, log: silentLogger });
  const clear = async (): Promise<void> => {
    for (const { id } of images.list()) await images.remove(id);
  };
  const left = async (): Promise<string[]> => [
    ...images.list().map((image) => `image ${image.id}`),
    ...readdirSync(join(place.root, 'blobs/sha256')).map((name) => `blob ${name}`),
    ...readdirSync(join(place.root, 'ingests')).map((name) => `ingest ${name}`),
    ...place.snapshots.layers().map((layer) => `layer ${layer.chain}`),
    ...readdirSync(place.root).filter((name) => !['blobs', 'ingests', 'snapshots'].includes(name)),
  ];
  const door = (name: string, work: (data: Buffer) => Promise<unknown>): Door => ({
    name,
    root: place.root,
    left,
    bring: async (data) => {
      const message = await said(() => work(data));
      await clear();
      return message;
    },
  });
  const docker = async (data: Buffer): Promise<Buffer> => {
    const config = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [diffIdOf(data)] } };
    const layer = { ...file('layer.tar', ''), entry: { ...file('layer.tar', '').entry, size: data.length }, body: data };
    return tarOf([layer, file('config.json', JSON.stringify(config)), file('manifest.json', JSON.stringify([{ Config: 'config.json', RepoTags: ['t:1'], Layers: ['layer.tar'] }]))]);
  };
  return {
    doors: [
      door('import', (data) => importImage(images, Readable.from([data], { objectMode: false }), { names: ['t:1'], createdAt: 0, ref: 'fuzz' })),
      door('load', async (data) => images.load(Readable.from([await docker(data)], { objectMode: false }))),
      door('load, as the image archive', (data) => images.load(Readable.from([data], { objectMode: false }))),
      door('pull', async (data) => {
        const layer = registry.serve(mediaTypes.ociLayerGzip, data);
        await registry.image('1', { config: (c) => ({ ...c, rootfs: { type: 'layers', diff_ids: [diffIdOf(data)] } }), manifest: (m) => ({ ...m, layers: [layer] }) });
        await images.pull(`${registry.host}/image:1`);
      }),
    ],
    end: async () => {
      await registry.end();
      await place.end();
    },
  };
}

async function buildDoors(): Promise<Doors> {
  const bed = await openBuildBed();
  const left = async (): Promise<string[]> => [
    ...['contexts', 'runs', 'steps'].flatMap((name) => {
      try {
        return readdirSync(join(bed.directory, 'build', name)).map((entry) => `${name}/${entry}`);
      } catch {
        return [];
      }
    }),
    ...bed.images.list().map((image) => `image ${image.id}`),
    ...bed.snapshots.active().map(({ key }) => `snapshot ${key}`),
  ];
  const bring = (stream: (data: Buffer) => Readable) => async (data: Buffer): Promise<string | undefined> => {
    const { error, fault } = await bed.buildFrom(stream(data));
    if (error !== undefined && (!(fault instanceof Fault) || fault.kind === 'internal')) throw fault;
    for (const { id } of bed.images.list()) await bed.images.remove(id);
    return error;
  };
  return {
    doors: [
      { name: 'ADD', root: bed.directory, left, bring: bring((data) => contextOf({ Dockerfile: 'FROM scratch\nADD a.tar /x/\n', 'a.tar': data })) },
      { name: 'build, as the context', root: bed.directory, left, bring: bring((data) => Readable.from([data], { objectMode: false })) },
    ],
    end: () => bed.end(),
  };
}

async function copyDoor(): Promise<Doors> {
  const bed = await new TestEngine().open();
  await importImage(bed.runtime.images, Readable.from([await tarOf([file('f'), file('d/f')])], { objectMode: false }), { names: ['base:1'], createdAt: 0, ref: 'base' });
  const door = (name: string, path: string): Door => ({
    name,
    root: bed.root,
    left: async () => [
      ...bed.runtime.snapshots.active().map(({ key }) => `snapshot ${key}`),
      ...(await bed.engine.containers.list({ all: true, limit: 0, size: false, filters: {} })).map((c) => `container ${c.Id}`),
    ],
    bring: async (data) => {
      const { Id } = await bed.engine.containers.create({ Image: 'base:1', Cmd: ['f'] }, {});
      try {
        return await said(() => bed.engine.archives.write(Id, { path, noOverwriteDirNonDir: false, copyUidGid: false }, Readable.from([data], { objectMode: false })));
      } finally {
        await bed.engine.containers.remove(Id, { force: true, volumes: true });
      }
    },
  });
  return { doors: [door('cp', '/'), door('cp to a directory', '/d')], end: () => bed.end() };
}

/** A place for what must not be touched. */
export function temporary(name: string): { path: string; end(): void } {
  const path = mkdtempSync(join(tmpdir(), `${name}-`));
  return { path, end: () => rmSync(path, { recursive: true, force: true }) };
}
