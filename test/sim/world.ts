/**
 * A seeded world: the real API server, controllers and scheduler in one process over a store in memory, with
 * simulated nodes, on a virtual clock. Its seed draws a *plan* (operations with their times) and a mix of *faults*.
 *
 * Its life: the daemon and the first nodes start; the plan runs while things go wrong; then the faults *end*, the
 * world is *healed* (lost nodes come back, rollouts get an image that works, nothing is paused), time runs on, and
 * it must *settle*: what is wanted is there, and nobody writes any more. What must never be is watched all the time
 * (`history.ts`); what must be in the end is read from the store (`invariants.ts`).
 *
 * The same seed and plan give the same *trace*, byte for byte: nothing here waits for anything but promises and
 * the virtual clock, and every draw is from a seeded stream.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Deployment, KubeObject, Namespace, Node } from '#api/kube/types.ts';
import { VirtualClock } from '#lib/clock-virtual.ts';
import { isFault, messageOf } from '#lib/errors.ts';
import { monotonicMs } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import { createLogger } from '#lib/log.ts';
import * as refs from '#client/kube/resources.ts';
import type { KubeClient, ResourceRef } from '#client/kube/types.ts';
import type { ServiceAccountKeys } from '#cluster/apiserver/pki/service-account-keys.ts';
import { createInformer } from '#cluster/machinery/informer.ts';
import type { ApiObject, Informer } from '#cluster/machinery/types.ts';
import { keyOf } from '#cluster/machinery/types.ts';
import { Chance } from './chance.ts';
import { faultyClient } from './client-faults.ts';
import { SimDaemon } from './daemon.ts';
import { SimDisk } from './disk.ts';
import type { Faults } from './faults.ts';
import { drawFaults, endFaults, faultsText } from './faults.ts';
import { History } from './history.ts';
import { readFacts, unsettled } from './invariants.ts';
import { brokenImage, SimNode } from './node.ts';
import type { Operation } from './operations.ts';
import { firstNodes, namespaceNames, operationText } from './operations.ts';
import type { Machines } from './perform.ts';
import { holdFinalizer, perform } from './perform.ts';

/** After the last operation, before the faults end, in milliseconds. */
const afterPlanMs = 15_000;
/** The longest that a healed world may take to settle: back-offs and expectations are minutes long. */
const settleMs = 15 * 60_000;
const lookMs = 5000;
/** So long nobody may write in a settled world. */
const quietMs = 90_000;
/** A daemon that is told to stop has stopped by then. */
const stopMs = 120_000;
/** The cpu of a machine, which is the same one again when it comes back. */
const rooms = ['700m', '1500m', '4'];
const healRetryMs = 500;
const userAttempts = 4;

export interface WorldOptions {
  seed: number;
  operations: readonly Operation[];
  keys: ServiceAccountKeys;
  /** Lines of the log, for whoever looks into one seed. */
  log?: (line: string) => void;
}

export interface Outcome {
  /** Empty where all went well. */
  problems: readonly string[];
  /** The plan with what became of it, an operation a line. */
  trace: readonly string[];
  /** Of every commit and every line of the trace. */
  hash: string;
  virtualMs: number;
  /** From the end of the faults until all was as it should be. */
  settledMs: number;
  revisions: number;
}

export async function runWorld(options: WorldOptions): Promise<Outcome> {
  return new World(options).run();
}

class World {
  readonly #options: WorldOptions;
  readonly #clock = new VirtualClock();
  readonly #startedAt = monotonicMs(this.#clock);
  readonly #history: History;
  readonly #trace: string[] = [];
  readonly #problems: string[] = [];
  readonly #faults: Faults;
  readonly #log: Logger;
  readonly #daemon: SimDaemon;
  readonly #user: KubeClient;
  readonly #machines = new Map<string, SimNode>();
  readonly #informers: { ref: ResourceRef; labelSelector?: string; informer: Informer<ApiObject> }[] = [];
  #stopping: Promise<void> | undefined;
  #made = 0;
  #faultsEndedAt = 0;
  #settledAt = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    const { seed, keys } = options;
    this.#faults = drawFaults(seed);
    this.#history = new History(this.#clock, this.#faults);
    this.#log = this.#openLog();
    const disk = new SimDisk(this.#history.onCommit);
    this.#daemon = new SimDaemon({
      clock: this.#clock, log: this.#log, chance: new Chance(seed, 'daemon'), faults: this.#faults, disk, keys, say: (problem) => this.#problems.push(problem), history: this.#history,
    });
    this.#user = faultyClient({ server: () => this.#daemon.served(), compaction: () => this.#daemon.compaction(), clock: this.#clock, chance: new Chance(seed, 'user'), faults: this.#faults, remote: true });
  }

  async run(): Promise<Outcome> {
    const { operations } = this.#options;
    this.#note(`faults: ${faultsText(this.#faults)}`);
    void this.#daemon.start();
    for (let i = 0; i < firstNodes; i++) this.#join(`n${i}`);
    this.#watchAlong();
    for (const name of namespaceNames) this.#make(name);
    for (const operation of operations) this.#clock.after(operation.atMs, () => void this.#perform(operation));
    await this.#clock.advance((operations.at(-1)?.atMs ?? 0) + afterPlanMs);
    endFaults(this.#faults);
    for (const node of this.#machines.values()) node.calm();
    this.#note('the faults end');
    this.#faultsEndedAt = monotonicMs(this.#clock);
    let healed = false;
    void this.#heal().then(() => (healed = true));
    await this.#settle(() => healed);
    this.#note(`settled or given up; hash ${this.#history.hash}`);
    const problems = [...this.#history.problems, ...this.#problems];
    return { problems, trace: this.#trace, hash: this.#history.hash, virtualMs: monotonicMs(this.#clock) - this.#startedAt, settledMs: this.#settledAt - this.#faultsEndedAt, revisions: this.#daemon.store().revision() };
  }

  #openLog(): Logger {
    const { log } = this.#options;
    // What is logged as an error is a mistake of the program, or the disk that the world itself makes fail.
    const expected = /could not write|cannot be read/;
    const write = (line: string): void => {
      log?.(line);
      if (/^\S+ error /.test(line) && !expected.test(line)) this.#problems.push(`logged: ${line.trim()}`);
    };
    return createLogger({ write, clock: this.#clock, level: log ? 'debug' : 'error' });
  }

  #note(line: string): void {
    const text = `+${((monotonicMs(this.#clock) - this.#startedAt) / 1000).toFixed(3)}s ${line}`;
    this.#trace.push(text);
    this.#history.note(text);
    this.#options.log?.(`---- ${text}\n`);
  }

  async #perform(operation: Operation): Promise<void> {
    const outcome = await this.#persist(() => perform(operation, this.#user, this.#hands())).catch((error: unknown) => {
      if (!isFault(error)) this.#problems.push(`${operationText(operation)}: ${(error as Error).stack ?? messageOf(error)}`);
      return `failed: ${messageOf(error)}`;
    });
    this.#note(`${operationText(operation)} -> ${outcome}`);
  }

  /** People try again what did not get through. */
  async #persist<T>(run: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await run();
      } catch (error) {
        if (!isFault(error, 'unavailable') || attempt >= userAttempts) throw error;
        await this.#clock.sleep(healRetryMs);
      }
    }
  }

  #hands(): Machines {
    const later = (ms: number, fn: () => void): void => void this.#clock.after(ms, fn);
    return {
      wait: (ms) => this.#clock.sleep(ms),
      compact: () => this.#daemon.compact(),
      jumpClock: (byMs) => this.#clock.jump(byMs),
      loseNode: (name, how, forMs) => {
        const node = this.#machines.get(name);
        if (how === 'lose') node?.lose();
        else node?.crash();
        later(forMs, () => this.#machines.get(name)?.start());
      },
      removeNode: (name) => {
        this.#machines.get(name)?.crash();
        this.#machines.delete(name);
      },
      joinNode: (name) => this.#join(name),
      killDaemon: (forMs) => {
        this.#daemon.kill();
        later(forMs, () => void this.#daemon.start());
      },
      restartDaemon: (forMs) => {
        let stopped = false;
        this.#stopping = this.#daemon.stop().then(() => {
          stopped = true;
          later(forMs, () => void this.#daemon.start());
        });
        later(stopMs, () => {
          if (!stopped) this.#problems.push(`the daemon has not stopped after ${stopMs} ms`);
        });
      },
    };
  }

  #join(name: string): void {
    if (!this.#machines.has(name)) {
      const { seed } = this.#options;
      const number = this.#made++;
      const options = { name, number, cpu: new Chance(seed, `room of ${name}`).pick(rooms), clock: this.#clock, log: this.#log, chance: new Chance(seed, `node ${number}`), faults: this.#faults, server: () => this.#daemon.served(), compaction: () => this.#daemon.compaction() };
      this.#machines.set(name, new SimNode(options));
    }
    this.#machines.get(name)?.start();
  }

  /** Outsiders that follow along, through all that goes wrong. */
  #watchAlong(): void {
    const client = faultyClient({ server: () => this.#daemon.served(), compaction: () => this.#daemon.compaction(), clock: this.#clock, chance: new Chance(this.#options.seed, 'outsiders'), faults: this.#faults, remote: true });
    const shared = { client, clock: this.#clock, log: this.#log, signal: new AbortController().signal };
    const followed: { ref: ResourceRef; labelSelector?: string }[] = [
      { ref: refs.pods }, { ref: refs.pods, labelSelector: 'app=d0' }, { ref: refs.deployments }, { ref: refs.replicaSets }, { ref: refs.endpointSlices }, { ref: refs.namespaces },
    ];
    for (const one of followed) this.#informers.push({ ...one, informer: createInformer<ApiObject>({ ...shared, ...one }) });
  }

  #make(namespace: string): void {
    void this.#untilDone(() => this.#user.create<Namespace>(refs.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace }, spec: {} }));
  }

  async #untilDone(run: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await run();
        return;
      } catch (error) {
        if (isFault(error, 'already-exists', 'not-found', 'conflict')) return;
        await this.#clock.sleep(healRetryMs);
      }
    }
  }

  async #heal(): Promise<void> {
    await this.#stopping;
    void this.#daemon.start();
    if (this.#machines.size === 0) this.#join('n0');
    for (const node of this.#machines.values()) {
      node.grow();
      node.start();
    }
    await this.#untilDone(async () => {
      const { items } = await this.#user.list<Node>(refs.nodes);
      for (const { metadata: { name = '' } } of items) {
        if (this.#machines.has(name)) await this.#user.patch(refs.nodes, name, { type: 'merge', body: { spec: { unschedulable: null } } });
        else await this.#user.delete(refs.nodes, name);
      }
    });
    await this.#untilDone(async () => {
      const { items } = await this.#user.list<Deployment>(refs.deployments);
      for (const { metadata: { name = '', namespace }, spec } of items) {
        const image = spec.template.spec?.containers[0]?.image === brokenImage ? 'web:1' : undefined;
        const body = { spec: { paused: false, ...(image && { template: { spec: { containers: [{ name: 'main', image }] } } }) } };
        await this.#user.patch(refs.deployments, name, { type: 'strategic', body }, { namespace });
      }
    });
    for (const ref of [refs.configMaps, refs.deployments]) {
      await this.#untilDone(async () => {
        const { items } = await this.#user.list<KubeObject>(ref);
        for (const { metadata: { name = '', namespace, finalizers = [] } } of items) {
          const others = finalizers.filter((finalizer) => finalizer !== holdFinalizer);
          if (others.length < finalizers.length) await this.#user.patch(ref, name, { type: 'merge', body: { metadata: { finalizers: others } } }, { namespace });
        }
      });
    }
    this.#note('healed');
  }

  async #settle(healed: () => boolean): Promise<void> {
    const end = monotonicMs(this.#clock) + settleMs;
    let left: string[] = [];
    while (monotonicMs(this.#clock) < end) {
      await this.#clock.advance(lookMs);
      left = healed() ? await this.#lookFor() : ['the world was not healed'];
      if (left.length > 0) continue;
      this.#settledAt = monotonicMs(this.#clock);
      const before = this.#history.changes;
      await this.#clock.advance(quietMs);
      if (this.#history.changes === before) {
        this.#problems.push(...(await this.#compareWatchers()));
        return;
      }
      left = [`${this.#history.changes - before} writes in a settled world: ${this.#history.changedSince(monotonicMs(this.#clock) - quietMs).join(', ')}`];
    }
    this.#problems.push(...left);
  }

  async #lookFor(): Promise<string[]> {
    if (!this.#daemon.served()) return ['the daemon does not run'];
    return unsettled(await readFacts(this.#daemon.store()), [...this.#machines.keys()]);
  }

  /** What everybody who watched has put together is what a list gives, and that is what the store holds. */
  async #compareWatchers(): Promise<string[]> {
    const direct = this.#daemon.direct();
    const facts = await readFacts(this.#daemon.store());
    const problems: string[] = [];
    for (const { ref, labelSelector, informer } of this.#informers) {
      const { items } = await direct.list<KubeObject>(ref, { labelSelector });
      const listed = new Map(items.map((object) => [keyOf(object), object]));
      const held = new Map(informer.list().map((object) => [keyOf(object), object]));
      for (const key of new Set([...listed.keys(), ...held.keys()])) {
        if (!isDeepStrictEqual(listed.get(key), held.get(key))) problems.push(`a watcher of ${ref.resource} ${labelSelector ?? ''} has another ${key} than the list`);
      }
      const stored = facts.of(ref.group === '' ? ref.resource : `${ref.resource}.${ref.group}`).length;
      if (labelSelector === undefined && stored !== items.length) problems.push(`the store has ${stored} ${ref.resource}, the list ${items.length}`);
    }
    return problems;
  }
}
