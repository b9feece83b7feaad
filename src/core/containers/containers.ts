/** Containers under conmon: the life cycle. Calls that change one container's state are serial; waiting is not. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Aftermath, KeyedMutex } from '#lib/async.ts';
import { Fault, isFault } from '#lib/errors.ts';
import type { CgroupLimits, CgroupUsage } from '#sys/cgroup/types.ts';
import { Attachments, inputOf } from './attachments.ts';
import { bundleAt, readExit, removeBundle, readOomMark, readPid, writeBundle } from './bundle.ts';
import type { Bundle } from './bundle.ts';
import { defaultCapabilities } from './capabilities.ts';
import { resizeTerminal } from './conmon/control.ts';
import { parseSync, sigkill, spawnConmon } from './conmon/spawn.ts';
import { streamsOf } from './conmon/streams.ts';
import { Entries } from './entries.ts';
import type { Entry } from './entries.ts';
import { startExec } from './exec.ts';
import type { ContainerParts } from './parts.ts';
import type { ContainerRecord, Supervision } from './record.ts';
import { createFailure } from './runtime.ts';
import { endUnseen, signalAll, signalMain } from './signals.ts';
import { FilterCache } from './seccomp/cache.ts';
import { buildConfig } from './spec/build.ts';
import type { ContainerEvent, Containers, CreateOptions, ContainerSpec, ContainerStatus, ExecSession, ExecSpec, Exit, Streams, TerminalSize } from './types.ts';

/** Milliseconds that a supervisor's end may take to be seen. */
const endSeenMs = 2000;

export class ConmonContainers implements Containers {
  readonly parts: ContainerParts;
  readonly entries = new Entries();
  readonly #mutex = new KeyedMutex();
  readonly #filters: FilterCache;
  readonly #removals = new Aftermath();
  readonly closing = new AbortController();

  constructor(parts: ContainerParts) {
    this.parts = parts;
    this.#filters = new FilterCache(parts.paths);
  }

  create(spec: ContainerSpec, options: CreateOptions = {}): Promise<ContainerStatus> {
    return this.#mutex.run(spec.id, async () => {
      if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(spec.id)) throw new Fault('invalid', `invalid container id ${JSON.stringify(spec.id)}`);
      if (this.entries.get(spec.id)) throw new Fault('already-exists', `container ${spec.id} already exists`);
      const record = this.#newRecord(spec);
      const bundle = this.bundleOf(spec.id);
      const config = buildConfig(spec, record.cgroup, this.parts.host);
      const filterKey = this.#filters.apply(config);
      await this.#removals.over(spec.id);
      if (existsSync(bundle.directory)) await this.parts.kernel.files.removeTree(bundle.directory);
      writeBundle(bundle, config);
      const [spawned, stored] = await Promise.allSettled([this.#spawn(spec, bundle, options), this.parts.records.put(record)]);
      if (spawned.status === 'rejected' || stored.status === 'rejected') {
        await this.destroy(record, bundle);
        throw spawned.status === 'rejected' ? spawned.reason : (stored as PromiseRejectedResult).reason;
      }
      this.#filters.learn(filterKey, spec.id);
      const entry = this.entries.add(record, bundle, spawned.value);
      this.watch(entry);
      this.entries.emit('created', entry);
      return this.entries.status(entry);
    });
  }

  #newRecord(spec: ContainerSpec): ContainerRecord {
    const record: ContainerRecord = {
      id: spec.id,
      owner: spec.owner,
      labels: { ...spec.labels },
      createdAt: this.parts.clock.now(),
      cgroup: spec.cgroup ?? `${this.parts.instance}/${spec.owner}/${spec.id}`,
      capabilities: spec.privileged ? [...this.parts.host.capabilities] : [...(spec.process.capabilities ?? defaultCapabilities)],
      bootId: this.parts.bootId,
      input: inputOf(spec),
    };
    if (spec.logPath !== undefined) record.logPath = spec.logPath;
    if (spec.logLimits !== undefined) record.logLimits = spec.logLimits;
    return record;
  }

  async #spawn(spec: ContainerSpec, bundle: Bundle, { onMaking }: CreateOptions): Promise<Supervision> {
    const { kernel, paths } = this.parts;
    const conmon = spawnConmon(kernel.processes, paths, {
      id: spec.id,
      bundle,
      terminal: spec.process.terminal ?? false,
      stdin: spec.stdin ?? false,
      leaveStdinOpen: inputOf(spec) === 'open',
      logPath: spec.logPath,
    });
    try {
      conmon.proceed();
      onMaking?.();
      await conmon.forked;
      const line = await conmon.sync.next();
      if (line === undefined) throw new Fault('internal', `container ${spec.id}: conmon ended early: ${conmon.errors()}`);
      const { data: pid, message } = parseSync(line);
      if (pid <= 0) throw createFailure(message ?? conmon.errors(), spec.process.args[0] ?? '');
      const conmonPid = readPid(bundle.conmonPidFile);
      if (conmonPid === undefined) throw new Fault('internal', `container ${spec.id}: conmon left no pid file`);
      return { pid, startTime: kernel.processes.startTime(pid), conmonPid };
    } finally {
      conmon.release();
    }
  }

  /** When conmon is gone, the container is over: its exit file is there, or nobody will write it any more. */
  watch(entry: Entry): void {
    const { kernel, log } = this.parts;
    const pid = entry.supervision!.conmonPid;
    void kernel.processes
      .ended(pid, this.closing.signal)
      .then(() => this.settle(entry))
      .catch((error: unknown) => {
        if (!this.closing.signal.aborted) log.error('cannot watch a container', { id: entry.record.id, error });
      });
  }

  settle(entry: Entry): Promise<void> {
    return this.#mutex.run(entry.record.id, async () => {
      if (entry.record.exit || this.entries.get(entry.record.id) !== entry) return;
      const { records, log, clock } = this.parts;
      const { id, cgroup } = entry.record;
      const left = readExit(entry.bundle);
      const code = left?.code ?? (await endUnseen(this.parts, entry, this.closing.signal));
      const oomKilled = readOomMark(entry.bundle) || (this.parts.kernel.cgroups.usage(cgroup)?.oomKills ?? 0) > 0;
      const exit: Exit = { code, finishedAt: left?.finishedAt ?? clock.now(), oomKilled };
      try {
        entry.record = await records.update(id, (record) => ({ ...record, exit, paused: false }));
      } catch (error) {
        // The exit is known and the file stays: the next daemon reads it again.
        log.error('cannot record the exit of a container', { id, error });
        entry.record = { ...entry.record, exit };
      }
      if (oomKilled) this.entries.emit('oom', entry);
      this.entries.emit('exited', entry);
      entry.exited.resolve(exit);
    });
  }

  start(id: string): Promise<ContainerStatus> {
    return this.#mutex.run(id, async () => {
      const entry = this.entries.must(id);
      if (entry.record.startedAt !== undefined || entry.record.exit) throw new Fault('conflict', `container ${id} was started before`);
      const { records, runtime, clock } = this.parts;
      const startedAt = clock.now();
      const [started, stored] = await Promise.allSettled([runtime.start(id), records.update(id, (record) => ({ ...record, startedAt }))]);
      if (started.status === 'rejected') {
        await records.update(id, ({ startedAt: _, ...record }) => record);
        throw started.reason;
      }
      if (stored.status === 'rejected') throw stored.reason;
      entry.record = stored.value;
      this.entries.emit('started', entry);
      return this.entries.status(entry);
    });
  }

  get(id: string): ContainerStatus | undefined {
    const entry = this.entries.get(id);
    return entry && this.entries.status(entry);
  }

  list(filter: { owner?: string } = {}): readonly ContainerStatus[] {
    return this.entries.all().filter((entry) => filter.owner === undefined || entry.record.owner === filter.owner).map((entry) => this.entries.status(entry));
  }

  wait(id: string, signal?: AbortSignal): Promise<Exit> {
    const { exited } = this.entries.must(id);
    if (!signal) return exited.promise;
    signal.throwIfAborted();
    const aborted = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }));
    return Promise.race([exited.promise, aborted]);
  }

  async kill(id: string, signal: number, options: { all?: boolean } = {}): Promise<void> {
    const entry = this.#running(id);
    if (options.all) signalAll(this.parts.kernel, entry.record.cgroup, signal);
    else if (!signalMain(this.parts.kernel, entry, signal)) throw new Fault('conflict', `container ${id} is not running`);
    if (signal !== sigkill) return;
    entry.attachments?.killed();
    await this.#thaw(entry);
  }

  /** A frozen process takes even SIGKILL only when it thaws. A pause that is under way is waited for. */
  #thaw(entry: Entry): Promise<void> {
    return this.#mutex.run(entry.record.id, async () => {
      if (entry.record.paused && !entry.record.exit) await this.parts.kernel.cgroups.freeze(entry.record.cgroup, false);
    });
  }

  async stop(id: string, options: { signal: number; timeoutMs: number }): Promise<Exit> {
    const entry = this.entries.must(id);
    if (entry.record.exit) return entry.record.exit;
    if (entry.record.paused) await this.resume(id);
    signalMain(this.parts.kernel, entry, options.signal);
    const killIt = (): void => {
      signalMain(this.parts.kernel, entry, sigkill);
      entry.attachments?.killed();
      this.#thaw(entry).catch((error: unknown) => this.parts.log.error('cannot thaw a container that is killed', { id, error }));
    };
    const timer = Number.isFinite(options.timeoutMs) ? this.parts.clock.after(options.timeoutMs, killIt) : undefined;
    try {
      return await entry.exited.promise;
    } finally {
      timer?.cancel();
    }
  }

  pause(id: string): Promise<void> {
    return this.#freeze(id, true);
  }

  resume(id: string): Promise<void> {
    return this.#freeze(id, false);
  }

  #freeze(id: string, frozen: boolean): Promise<void> {
    return this.#mutex.run(id, async () => {
      const entry = this.#running(id);
      if ((entry.record.paused ?? false) === frozen) throw new Fault('conflict', `container ${id} is ${frozen ? 'already' : 'not'} paused`);
      await this.parts.kernel.cgroups.freeze(entry.record.cgroup, frozen);
      entry.record = await this.parts.records.update(id, (record) => ({ ...record, paused: frozen }));
      this.entries.emit(frozen ? 'paused' : 'resumed', entry);
    });
  }

  async remove(id: string): Promise<void> {
    const entry = this.entries.get(id);
    if (!entry) return;
    if (!entry.record.exit) {
      signalMain(this.parts.kernel, entry, sigkill);
      entry.attachments?.killed();
      await this.#thaw(entry);
      await entry.exited.promise;
    }
    await this.#mutex.run(id, async () => {
      if (this.entries.get(id) !== entry) return;
      await this.destroy(entry.record, entry.bundle);
      this.entries.delete(entry);
      this.entries.emit('removed', entry);
    });
  }

  /** Takes away whatever there is of a container; its files after that, for which nobody waits. */
  async destroy(record: Pick<ContainerRecord, 'id' | 'cgroup' | 'exit'>, bundle: Bundle): Promise<void> {
    const { kernel, runtime, records, paths, log } = this.parts;
    // Of one that ended, and left no process behind, the runtime has nothing but the files that go below.
    if (!record.exit || kernel.cgroups.processes(record.cgroup).length > 0) await runtime.delete(record.id);
    if (kernel.cgroups.exists(record.cgroup)) await kernel.cgroups.remove(record.cgroup);
    await records.delete(record.id);
    const files = (): Promise<void> => removeBundle(kernel.files, bundle, join(paths.runtimeRoot, record.id));
    this.#removals.begin(record.id, files, (error) => log.warn('the files of a removed container stay until the next start', { id: record.id, error }));
  }

  async attach(id: string): Promise<Streams> {
    const entry = this.#living(id);
    try {
      return await (entry.attachments ??= this.#attachments(entry)).attach();
    } catch (error) {
      if (!isFault(error, 'not-found', 'unavailable')) throw error;
      // its supervisor takes the socket away as it ends, a little before that is seen here
      await Promise.race([entry.exited.promise, this.parts.clock.sleep(endSeenMs)]);
      throw new Fault('conflict', `container ${id} is not running`, { cause: error });
    }
  }

  #attachments({ bundle, record, supervision }: Entry): Attachments {
    const { kernel, clock } = this.parts;
    const { pid, startTime } = supervision!;
    return new Attachments({
      connect: async () => streamsOf(await kernel.seqpackets.connect(bundle.attachSocket)),
      input: record.input ?? 'open',
      clock,
      processEnded: async (signal) => {
        if (kernel.processes.startTime(pid) === startTime) await kernel.processes.ended(pid, signal);
      },
    });
  }

  async resize(id: string, size: TerminalSize): Promise<void> {
    resizeTerminal(this.#living(id).bundle.control, size);
  }

  async exec(id: string, spec: ExecSpec): Promise<ExecSession> {
    const entry = this.#running(id);
    if (entry.record.paused) throw new Fault('conflict', `container ${id} is paused, unpause the container before exec`);
    const { kernel, paths, host } = this.parts;
    return startExec(kernel, paths, host, { id, directory: entry.bundle.directory, capabilities: entry.record.capabilities }, spec);
  }

  processes(id: string): number[] {
    return this.parts.kernel.cgroups.processes(this.#living(id).record.cgroup);
  }

  usage(id: string): CgroupUsage | undefined {
    return this.parts.kernel.cgroups.usage(this.entries.must(id).record.cgroup);
  }

  async update(id: string, limits: CgroupLimits): Promise<void> {
    this.parts.kernel.cgroups.update(this.#living(id).record.cgroup, limits);
  }

  observe(observer: (event: ContainerEvent) => void): () => void {
    return this.entries.observe(observer);
  }

  close(): Promise<void> {
    this.closing.abort();
    for (const { attachments } of this.entries.all()) attachments?.close();
    return this.#removals.allOver();
  }

  bundleOf(id: string): Bundle {
    return bundleAt(join(this.parts.bundles, id));
  }

  #living(id: string): Entry {
    const entry = this.entries.must(id);
    if (entry.record.exit) throw new Fault('conflict', `container ${id} is not running`);
    return entry;
  }

  #running(id: string): Entry {
    const entry = this.#living(id);
    if (entry.record.startedAt === undefined) throw new Fault('conflict', `container ${id} is not running`);
    return entry;
  }
}
