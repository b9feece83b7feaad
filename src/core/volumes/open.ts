import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { KeyedMutex } from '#lib/async.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { hex, type Random } from '#lib/random.ts';
import type { OpenRecords, Records } from '#core/store/records.types.ts';
import type { Kernel } from '#sys/types.ts';
import { copyTree, treeBytes } from './tree.ts';
import type { Volume, Volumes, VolumeSpec } from './types.ts';

export interface VolumesOptions {
  /** Each volume is `<root>/<name>/_data`. */
  root: string;
  kernel: Pick<Kernel, 'mounts' | 'files'>;
  records: OpenRecords;
  clock: Clock;
  random: Random;
  log: Logger;
}

interface VolumeRecord extends Volume {
  id: string;
  users: readonly string[];
}

const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
const nameLimit = 255;
/** What mount(8) takes for the local driver; any other option is refused by name. */
const localOptions = new Set(['type', 'o', 'device']);

/** Opens the volumes of an instance. */
export async function openVolumes(options: VolumesOptions): Promise<Volumes> {
  await mkdir(options.root, { recursive: true, mode: 0o711 });
  return new LocalVolumes(options, await options.records<VolumeRecord>('volumes', ['users', 'mountpoint']));
}

class LocalVolumes implements Volumes {
  readonly #options: VolumesOptions;
  readonly #records: Records<VolumeRecord>;
  readonly #mutex = new KeyedMutex();

  constructor(options: VolumesOptions, records: Records<VolumeRecord>) {
    this.#options = options;
    this.#records = records;
  }

  list(): readonly Volume[] {
    return this.#records.list();
  }

  get(name: string): Volume | undefined {
    return this.#records.get(name);
  }

  async create(spec: VolumeSpec): Promise<Volume> {
    const name = spec.name || hex(this.#options.random, 32);
    check(name, spec);
    return this.#mutex.run(name, async () => {
      const options = spec.options ?? {};
      const existing = this.#records.get(name);
      if (existing) {
        if (Object.keys(options).length > 0 && !sameOptions(existing.options, options)) throw new Fault('conflict', `volume ${name} already exists with other options: remove it, or choose another name`);
        return existing;
      }
      const mountpoint = join(this.#options.root, name, '_data');
      await mkdir(mountpoint, { recursive: true, mode: 0o755 });
      return this.#records.put({
        id: name,
        name,
        driver: 'local',
        mountpoint,
        createdAt: this.#options.clock.now(),
        options,
        labels: spec.labels ?? {},
        anonymous: !spec.name,
        users: [],
      });
    });
  }

  remove(name: string, options: { force?: boolean } = {}): Promise<void> {
    return this.#mutex.run(name, async () => {
      const record = this.#records.get(name);
      if (!record) {
        if (options.force) return;
        throw missing(name);
      }
      if (record.users.length > 0) throw new Fault('conflict', `remove ${name}: volume is in use - [${record.users.join(', ')}]`);
      this.#options.kernel.mounts.unmountTree(record.mountpoint);
      await rm(join(this.#options.root, name), { recursive: true, force: true });
      await this.#records.delete(name);
    });
  }

  use(name: string, user: string): Promise<string> {
    return this.#mutex.run(name, async () => {
      const record = this.#known(name);
      this.#mount(record);
      if (!record.users.includes(user)) await this.#records.put({ ...record, users: [...record.users, user] });
      return record.mountpoint;
    });
  }

  release(name: string, user: string): Promise<void> {
    return this.#mutex.run(name, async () => {
      const record = this.#records.get(name);
      if (!record) return;
      const users = record.users.filter((u) => u !== user);
      await this.#records.put({ ...record, users });
      if (users.length === 0 && isMounted(record)) this.#options.kernel.mounts.unmountTree(record.mountpoint);
    });
  }

  users(name: string): readonly string[] {
    return this.#records.get(name)?.users ?? [];
  }

  populate(name: string, source: string): Promise<void> {
    return this.#mutex.run(name, async () => {
      const { mountpoint } = this.#known(name);
      if ((await readdir(mountpoint)).length > 0) return;
      try {
        await copyTree(source, mountpoint, this.#options.kernel.files);
      } catch (error) {
        // half a copy would be taken for the volume's own content the next time
        for (const name of await readdir(mountpoint)) await rm(join(mountpoint, name), { recursive: true, force: true });
        throw error;
      }
    });
  }

  async usage(name: string): Promise<{ bytes: number }> {
    return { bytes: await treeBytes(this.#known(name).mountpoint) };
  }

  /** `-o type=tmpfs,device=…,o=…`: mounted while somebody uses it. */
  #mount(record: VolumeRecord): void {
    if (!isMounted(record)) return;
    const { mounts } = this.#options.kernel;
    if (mounts.list().some((m) => m.target === record.mountpoint)) return;
    const { type = '', device = '', o = '' } = record.options;
    mounts.mount(device, record.mountpoint, type, o.split(',').filter(Boolean));
  }

  #known(name: string): VolumeRecord {
    const record = this.#records.get(name);
    if (!record) throw missing(name);
    return record;
  }
}

function check(name: string, spec: VolumeSpec): void {
  if (spec.driver && spec.driver !== 'local') throw new Fault('not-found', `error looking up volume plugin ${spec.driver}: plugin "${spec.driver}" not found: only the local driver is there`);
  if (!namePattern.test(name) || name.length > nameLimit) {
    throw new Fault('invalid', `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`);
  }
  const unknown = Object.keys(spec.options ?? {}).find((o) => !localOptions.has(o));
  if (unknown !== undefined) throw new Fault('invalid', `create ${name}: invalid option: "${unknown}": the local driver takes type, o and device`);
  const missingOption = ['device', 'type'].find((o) => Object.keys(spec.options ?? {}).length > 0 && spec.options?.[o] === undefined);
  if (missingOption !== undefined) throw new Fault('invalid', `create ${name}: missing required option: "${missingOption}"`);
}

function isMounted(record: VolumeRecord): boolean {
  return record.options.device !== undefined;
}

function sameOptions(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((k) => a[k] === b[k]);
}

function missing(name: string): Fault {
  return new Fault('not-found', `get ${name}: no such volume`);
}
