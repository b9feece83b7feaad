/**
 * Containers without processes: programs are functions, time is the clock's. For tests of the rooms above and for
 * simulations. They keep the contract (order of states, exits, events, streams); they confine nothing. Output is
 * written to the log in conmon's form, all of it as whole lines.
 */
import { appendFileSync, rmSync } from 'node:fs';
import { deferred } from '#lib/async.ts';
import type { Deferred } from '#lib/async.ts';
import { isoTime } from '#lib/clock.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import { logSize, rotateLog } from '#core/logs/files.ts';
import type { CgroupLimits, CgroupUsage } from '#sys/cgroup/types.ts';
import { Attachments, inputOf } from './attachments.ts';
import { FakeProcess } from './fake-process.ts';
import type { FakePrograms } from './fake-process.ts';
import { basicPrograms } from './fake-programs.ts';
import type { ContainerEvent, Containers, ContainerSpec, ContainerStatus, ExecSession, ExecSpec, Exit, Streams, TerminalSize } from './types.ts';

const sigkill = 9;
const firstPid = 1000;

export interface FakeContainersOptions {
  clock: Clock;
  /** By name; added to `true`, `false`, `echo`, `cat`, `sleep` and a little of `sh -c`. */
  programs?: FakePrograms;
}

interface Entry {
  status: ContainerStatus;
  spec: ContainerSpec;
  main: FakeProcess;
  attachments: Attachments;
  execs: Set<FakeProcess>;
  exited: Deferred<Exit>;
}

export class FakeContainers implements Containers {
  readonly #clock: Clock;
  readonly #programs: FakePrograms;
  readonly #entries = new Map<string, Entry>();
  readonly #observers = new Set<(event: ContainerEvent) => void>();
  #pid = firstPid;

  constructor(options: FakeContainersOptions) {
    this.#clock = options.clock;
    this.#programs = { ...basicPrograms(options.clock), ...options.programs };
  }

  async create(spec: ContainerSpec): Promise<ContainerStatus> {
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(spec.id)) throw new Fault('invalid', `invalid container id ${JSON.stringify(spec.id)}`);
    if (this.#entries.has(spec.id)) throw new Fault('already-exists', `container ${spec.id} already exists`);
    const main = this.#process(spec.process.args, 'create');
    const status: ContainerStatus = { id: spec.id, owner: spec.owner, state: 'created', pid: this.#pid++, createdAt: this.#clock.now(), labels: { ...spec.labels } };
    if (spec.logPath !== undefined) status.logPath = spec.logPath;
    const attachments = new Attachments({ connect: async () => main.attach(), input: inputOf(spec), clock: this.#clock, processEnded: () => main.exited });
    const entry: Entry = { status, spec, main, attachments, execs: new Set(), exited: deferred<Exit>() };
    main.onOutput((stream, data) => this.#log(spec, stream, data));
    void main.exited.then((code) => this.#end(entry, code));
    this.#entries.set(spec.id, entry);
    this.#emit('created', entry);
    return entry.status;
  }

  #process(args: readonly string[], step: 'create' | 'exec'): FakeProcess {
    const program = this.#programs[args[0] ?? ''];
    const start = step === 'create' ? 'unable to start container process' : 'exec failed';
    if (!program) throw new Fault('invalid', `OCI runtime ${step} failed: ${start}: exec: ${JSON.stringify(args[0])}: executable file not found in $PATH`, { details: { exitCode: 127 } });
    return new FakeProcess(program, args);
  }

  #log(spec: ContainerSpec, stream: 'stdout' | 'stderr', data: Buffer): void {
    if (spec.logPath === undefined) return;
    const time = isoTime(this.#clock.now()).replace('Z', '000000+00:00');
    const lines = data.toString().replace(/\n$/, '').split('\n');
    appendFileSync(spec.logPath, lines.map((line) => `${time} ${stream} F ${line}\n`).join(''));
    const { logPath, logLimits } = spec;
    if (logLimits && logSize(logPath) >= logLimits.bytes) rotateLog(logPath, logLimits.files, () => rmSync(logPath));
  }

  #end(entry: Entry, code: number): void {
    const exit: Exit = { code, finishedAt: this.#clock.now(), oomKilled: false };
    for (const exec of entry.execs) exec.kill(sigkill);
    const { pid: _, ...status } = entry.status;
    entry.status = { ...status, state: 'exited', exit };
    this.#emit('exited', entry);
    entry.exited.resolve(exit);
  }

  async start(id: string): Promise<ContainerStatus> {
    const entry = this.#must(id);
    if (entry.status.state !== 'created') throw new Fault('conflict', `container ${id} was started before`);
    entry.status = { ...entry.status, state: 'running', startedAt: this.#clock.now() };
    this.#emit('started', entry);
    entry.main.run();
    return entry.status;
  }

  get(id: string): ContainerStatus | undefined {
    return this.#entries.get(id)?.status;
  }

  list(filter: { owner?: string } = {}): readonly ContainerStatus[] {
    return [...this.#entries.values()].map(({ status }) => status).filter(({ owner }) => filter.owner === undefined || owner === filter.owner);
  }

  wait(id: string, signal?: AbortSignal): Promise<Exit> {
    const { exited } = this.#must(id);
    if (!signal) return exited.promise;
    signal.throwIfAborted();
    return Promise.race([exited.promise, new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }))]);
  }

  async kill(id: string, signal: number): Promise<void> {
    this.#running(id).main.kill(signal);
  }

  async stop(id: string, options: { signal: number; timeoutMs: number }): Promise<Exit> {
    const entry = this.#must(id);
    entry.main.kill(options.signal);
    const timer = Number.isFinite(options.timeoutMs) ? this.#clock.after(options.timeoutMs, () => entry.main.kill(sigkill)) : undefined;
    return entry.exited.promise.finally(() => timer?.cancel());
  }

  pause(id: string): Promise<void> {
    return this.#setPaused(id, true);
  }

  resume(id: string): Promise<void> {
    return this.#setPaused(id, false);
  }

  async #setPaused(id: string, paused: boolean): Promise<void> {
    const entry = this.#running(id);
    if ((entry.status.state === 'paused') === paused) throw new Fault('conflict', `container ${id} is ${paused ? 'already' : 'not'} paused`);
    entry.status = { ...entry.status, state: paused ? 'paused' : 'running' };
    this.#emit(paused ? 'paused' : 'resumed', entry);
  }

  async remove(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (!entry) return;
    entry.main.kill(sigkill);
    await entry.exited.promise;
    if (!this.#entries.delete(id)) return;
    this.#emit('removed', entry);
  }

  async attach(id: string): Promise<Streams> {
    return this.#living(id).attachments.attach();
  }

  async resize(id: string, size: TerminalSize): Promise<void> {
    this.#living(id).main.size = size;
  }

  async exec(id: string, spec: ExecSpec): Promise<ExecSession> {
    const entry = this.#running(id);
    if (entry.status.state === 'paused') throw new Fault('conflict', `container ${id} is paused, unpause the container before exec`);
    const process = this.#process(spec.process.args, 'exec');
    entry.execs.add(process);
    const streams = spec.attach ? process.attach() : undefined;
    process.run();
    return {
      pid: this.#pid++,
      ...(streams ? { streams } : {}),
      exited: process.exited.then((code) => ({ code })).finally(() => entry.execs.delete(process)),
      resize: async (size) => void (process.size = size),
      kill: async (signal) => process.kill(signal),
    };
  }

  processes(id: string): number[] {
    const { status } = this.#living(id);
    return status.pid === undefined ? [] : [status.pid];
  }

  usage(): CgroupUsage | undefined {
    return undefined;
  }

  async update(id: string, _limits: CgroupLimits): Promise<void> {
    this.#living(id);
  }

  observe(observer: (event: ContainerEvent) => void): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #emit(type: ContainerEvent['type'], entry: Entry): void {
    for (const observer of this.#observers) observer({ type, status: entry.status });
  }

  #must(id: string): Entry {
    const entry = this.#entries.get(id);
    if (!entry) throw new Fault('not-found', `no such container: ${id}`);
    return entry;
  }

  #living(id: string): Entry {
    const entry = this.#must(id);
    if (entry.status.exit) throw new Fault('conflict', `container ${id} is not running`);
    return entry;
  }

  #running(id: string): Entry {
    const entry = this.#living(id);
    if (entry.status.state === 'created') throw new Fault('conflict', `container ${id} is not running`);
    return entry;
  }
}
