/** For tests of the builder: a real core in a temporary directory, without a network. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import type { BuildOptions } from '#api/docker/build.ts';
import type { JsonMessage } from '#api/docker/common.ts';
import { openContainers } from '#core/containers/open.ts';
import { openContent } from '#core/content/store.ts';
import { openImages } from '#core/images/open.ts';
import type { Images } from '#core/images/types.ts';
import type { Networks } from '#core/networks/types.ts';
import { openSandboxes } from '#core/sandboxes/open.ts';
import { openSnapshots } from '#core/snapshots/overlay/open.ts';
import type { Snapshots } from '#core/snapshots/types.ts';
import { createMemoryStore } from '#core/store/memory/store.ts';
import { createRecords } from '#core/store/records.ts';
import { systemClock } from '#lib/clock.ts';
import type { Fault } from '#lib/errors.ts';
import { createLogger } from '#lib/log.ts';
import { systemRandom } from '#lib/random.ts';
import { tarEntry } from '#lib/tar/types.ts';
import { encodeTar, type TarSource } from '#lib/tar/write.ts';
import { linuxKernel } from '#sys/linux.ts';
import { openBuilder } from './builder.ts';
import type { Builder } from './types.ts';

/** Names and contents; a name that ends in `/` is a directory, a text that begins with `-> ` a symbolic link. */
export type ContextFiles = Readonly<Record<string, string | Buffer>>;

export interface BuildBed {
  /** Holds everything; the builder's own is in `build`. */
  directory: string;
  builder: Builder;
  images: Images;
  snapshots: Snapshots;
  /** Builds from files given by name; returns what the build said. */
  build(files: ContextFiles, changes?: Partial<BuildOptions>): Promise<{ said: string; error?: string; code?: unknown }>;
  /** Builds from a context archive. */
  buildFrom(context: Readable, changes?: Partial<BuildOptions>): Promise<{ said: string; error?: string; code?: unknown; fault?: unknown }>;
  /** Reads a file of an image. */
  read<T>(image: string, use: (root: string) => Promise<T>): Promise<T>;
  /** Opens another builder there, as after a crash. */
  reopen(): Promise<void>;
  end(): Promise<void>;
}

export const defaults: BuildOptions = {
  version: '1', dockerfile: 'Dockerfile', tags: ['t:1'], buildArgs: {}, labels: {}, cacheFrom: [], target: '', noCache: false, pull: false,
  quiet: false, squash: false, networkMode: 'none', platform: '', extraHosts: [], remote: '', registryAuth: {}, buildId: '',
  resources: { memory: 0, memorySwap: 0, cpuShares: 0, cpuPeriod: 0, cpuQuota: 0, cpusetCpus: '', cpusetMems: '', cgroupParent: '', shmSize: 0, ulimits: [] },
};

export async function openBuildBed(): Promise<BuildBed> {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-build-'));
  const kernel = linuxKernel();
  kernel.cgroups.mountMissing();
  const around = { kernel, clock: systemClock, random: systemRandom, log: createLogger({ write: () => {} }), records: createRecords(createMemoryStore()) };
  const instance = basename(directory);
  const content = await openContent({ root: join(directory, 'content'), ...around });
  const snapshots = await openSnapshots({ root: directory, content, ...around });
  const images = await openImages({ content, snapshots, ...around });
  const containers = await openContainers({ root: join(directory, 'containers'), instance, runtimePath: '/usr/bin/crun', conmonPath: '/usr/bin/conmon', ...around });
  const sandboxes = await openSandboxes({ root: join(directory, 'sandboxes'), ...around });
  const networks = { get: () => undefined } as unknown as Networks;
  const open = (): Promise<Builder> => openBuilder({ root: join(directory, 'build'), images, snapshots, containers, sandboxes, networks, files: kernel.files, nameservers: () => [], ...around });
  const buildFrom: BuildBed['buildFrom'] = async (context, changes = {}) => {
    const messages: JsonMessage[] = [];
    const failed = await bed.builder.build({ ...defaults, ...changes }, context, (m) => void messages.push(m), new AbortController().signal).then(
      () => undefined,
      (error: Fault) => error,
    );
    return { said: messages.map((m) => m.stream ?? '').join(''), error: failed?.message, code: failed?.details?.exitCode, fault: failed };
  };
  const bed: BuildBed = {
    directory,
    builder: await open(),
    images,
    snapshots,
    buildFrom,
    build: (files, changes) => buildFrom(contextOf(files), changes),
    async read(name, use) {
      const image = images.get(name);
      if (!image) throw new Error(`no image ${name}`);
      return snapshots.view(image.chain, use);
    },
    async reopen() {
      bed.builder = await open();
    },
    async end() {
      for (const { id } of containers.list()) await containers.remove(id);
      await containers.close();
      await sandboxes.close();
      await snapshots.close();
      await kernel.cgroups.remove(instance);
      kernel.mounts.unmountTree(directory);
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return bed;
}

/** A context archive. Programs (and scripts that begin with `#!`) may be executed. */
export function contextOf(files: ContextFiles): Readable {
  const members = Object.entries(files).map(([name, content]): TarSource => {
    if (name.endsWith('/')) return { entry: tarEntry(name, 'directory') };
    const body = Buffer.from(content);
    const head = body.subarray(0, 4).toString('latin1');
    if (head.startsWith('-> ')) return { entry: tarEntry(name, 'symlink', { linkName: body.subarray(3).toString() }) };
    const executable = head.startsWith('#!') || head === '\x7fELF';
    return { entry: tarEntry(name, 'file', { size: body.length, mode: executable ? 0o755 : 0o644 }), body };
  });
  return Readable.from(encodeTar(members), { objectMode: false });
}
