/** Sandboxes as files below a root: `<root>/<id>/{net,ipc,uts}` pinned namespaces, `shm` a tmpfs. */
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Aftermath, KeyedMutex } from '#lib/async.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault, isFault } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { OpenRecords, Records } from '#core/store/records.types.ts';
import type { Kernel } from '#sys/types.ts';
import type { Sandbox, Sandboxes, SandboxSpec } from './types.ts';

export interface SandboxesOptions {
  root: string;
  kernel: Kernel;
  records: OpenRecords;
  clock: Clock;
  log: Logger;
}

/** Docker's, for a container's own network namespace. */
const networkSysctls = { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' };
const defaultShmSize = 64 * 1024 * 1024;

/** Opens the sandboxes of an instance. Namespaces that a restart of the host took are made anew, empty. */
export async function openSandboxes(options: SandboxesOptions): Promise<Sandboxes> {
  mkdirSync(options.root, { recursive: true, mode: 0o711 });
  const sandboxes = new PinnedSandboxes(options, await options.records<SandboxRecord>('sandboxes', ['spec']));
  await sandboxes.recover();
  return sandboxes;
}

interface SandboxRecord extends Sandbox {
  spec: SandboxSpec;
}

class PinnedSandboxes implements Sandboxes {
  readonly #options: SandboxesOptions;
  readonly #records: Records<SandboxRecord>;
  readonly #mutex = new KeyedMutex();
  readonly #removals = new Aftermath();

  constructor(options: SandboxesOptions, records: Records<SandboxRecord>) {
    this.#options = options;
    this.#records = records;
  }

  create(spec: SandboxSpec): Promise<Sandbox> {
    return this.#mutex.run(spec.id, async () => {
      if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(spec.id)) throw new Fault('invalid', `invalid sandbox id ${JSON.stringify(spec.id)}`);
      if (this.#records.get(spec.id)) throw new Fault('already-exists', `sandbox ${spec.id} already exists`);
      const { net, ipc } = splitSysctls(spec.sysctls ?? {});
      const lost = [...Object.keys(spec.namespaces.includes('net') ? {} : net), ...Object.keys(spec.namespaces.includes('ipc') ? {} : ipc)];
      if (lost.length > 0) throw new Fault('invalid', `the sysctl ${lost[0]} would change the host: sandbox ${spec.id} has no namespace of its own for it`);
      const directory = join(this.#options.root, spec.id);
      const at = (kind: 'net' | 'ipc' | 'uts'): string | undefined => (spec.namespaces.includes(kind) ? join(directory, kind) : undefined);
      const record: SandboxRecord = {
        id: spec.id,
        owner: spec.owner,
        labels: { ...spec.labels },
        createdAt: this.#options.clock.now(),
        netPath: at('net'),
        ipcPath: at('ipc'),
        utsPath: at('uts'),
        shmPath: spec.namespaces.includes('ipc') ? join(directory, 'shm') : undefined,
        spec,
      };
      await this.#removals.over(spec.id);
      try {
        this.#make(record);
        return shown(await this.#records.put(record));
      } catch (error) {
        await this.#unmake(spec.id);
        throw error;
      }
    });
  }

  /** Makes what is not there yet. */
  #make(record: SandboxRecord): void {
    const { namespaces, mounts } = this.#options.kernel;
    mkdirSync(join(this.#options.root, record.id), { recursive: true, mode: 0o711 });
    const { netPath, ipcPath, utsPath, shmPath, spec } = record;
    const { net, ipc } = splitSysctls(spec.sysctls ?? {});
    const pin = (kind: 'net' | 'ipc' | 'uts', path: string | undefined, options: { hostname?: string; sysctls?: Record<string, string> }): void => {
      if (!path || namespaces.isPinned(path)) return;
      // The empty file that a lost namespace was pinned to.
      namespaces.unpin(path);
      namespaces.pin(kind, path, options);
    };
    pin('net', netPath, { sysctls: { ...networkSysctls, ...net } });
    pin('ipc', ipcPath, { sysctls: ipc });
    pin('uts', utsPath, spec.hostname === undefined ? {} : { hostname: spec.hostname });
    // a directory that is not there yet has nothing on it
    if (shmPath && (mkdirSync(shmPath, { recursive: true }) !== undefined || !mounts.list().some((entry) => entry.target === shmPath))) {
      mounts.mount('shm', shmPath, 'tmpfs', ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${spec.shmSize ?? defaultShmSize}`]);
    }
  }

  async #unmake(id: string): Promise<void> {
    const { files, namespaces, mounts } = this.#options.kernel;
    const directory = join(this.#options.root, id);
    // one after another: nobody waits, and the pool has few threads
    for (const kind of ['net', 'ipc', 'uts']) await namespaces.unpinAside(join(directory, kind));
    try {
      await mounts.unmountAside(join(directory, 'shm'), { detach: true });
    } catch (error) {
      // a sandbox without a tmpfs, or what is left of one
      if (!isFault(error, 'invalid', 'not-found')) throw error;
    }
    await files.removeTree(directory);
  }

  get(id: string): Sandbox | undefined {
    const record = this.#records.get(id);
    return record && shown(record);
  }

  list(filter: { owner?: string } = {}): readonly Sandbox[] {
    return this.#records.list().filter((record) => filter.owner === undefined || record.owner === filter.owner).map(shown);
  }

  remove(id: string): Promise<void> {
    return this.#mutex.run(id, async () => {
      if (!this.#records.get(id)) return;
      await this.#records.delete(id);
      const failed = (error: unknown): void => this.#options.log.warn('the namespaces of a removed sandbox stay until the next start', { id, error });
      // unmounting waits for the kernel, and nobody waits for that: a directory without a record tells the next start of it
      this.#removals.begin(id, () => this.#unmake(id), failed);
    });
  }

  close(): Promise<void> {
    return this.#removals.allOver();
  }

  async recover(): Promise<void> {
    const { root, log } = this.#options;
    for (const name of readdirSync(root)) {
      if (!this.#records.get(name) && !this.#records.damaged.has(name)) await this.#unmake(name);
    }
    for (const record of this.#records.list()) {
      try {
        this.#make(record);
      } catch (error) {
        if (!isFault(error)) throw error;
        log.error('cannot make a sandbox again', { id: record.id, error });
      }
    }
  }
}

function shown({ spec: _, ...sandbox }: SandboxRecord): Sandbox {
  return sandbox;
}

/** Those of the network are the network namespace's; of the others only IPC's are separate. */
function splitSysctls(sysctls: Readonly<Record<string, string>>): { net: Record<string, string>; ipc: Record<string, string> } {
  const isNet = ([name]: [string, string]): boolean => name.startsWith('net.') || name.startsWith('net/');
  const entries = Object.entries(sysctls);
  return { net: Object.fromEntries(entries.filter(isNet)), ipc: Object.fromEntries(entries.filter((entry) => !isNet(entry))) };
}
