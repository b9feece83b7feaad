import { Fault } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { Clock } from '#lib/clock.ts';
import type { KubeClient, ResourceRef } from '#client/kube/types.ts';
import type { OpenServer } from '#cluster/apiserver/open.ts';
import { openServer } from '#cluster/apiserver/open.ts';
import type { ServiceAccountKeys } from '#cluster/apiserver/pki/service-account-keys.ts';
import { startControllers } from '#cluster/controllers/index.ts';
import { startScheduler } from '#cluster/scheduler/scheduler.ts';
import type { Store } from '#core/store/types.ts';
import { MvccStore } from '#core/store/mvcc/store.ts';
import type { Chance } from './chance.ts';
import type { Served } from './client-faults.ts';
import { faultyClient } from './client-faults.ts';
import type { SimDisk } from './disk.ts';
import type { Faults } from './faults.ts';
import type { History } from './history.ts';
import { orderedWatches } from './ordered.ts';
import { ProcessClock } from './process-clock.ts';
import { faultyStore } from './store-faults.ts';

export interface DaemonOptions {
  clock: Clock;
  log: Logger;
  chance: Chance;
  faults: Faults;
  disk: SimDisk;
  keys: ServiceAccountKeys;
  /** Hears of what a watch must not tell. */
  say: (problem: string) => void;
  /** What must never be: hears up to which revision of a resource the controllers were told, and what they ask for. */
  history: Pick<History, 'told' | 'decisions' | 'find'>;
}

interface Running extends Served {
  store: Store;
  open: OpenServer;
  stop: AbortController;
  parts: Promise<unknown>;
  kill(): void;
}

/** Between two tries to start, in milliseconds. */
const restartMs = 1000;
const address = { host: '192.0.2.1', port: 6443 };
const clusterCa = '-----BEGIN CERTIFICATE-----\nsimulated\n-----END CERTIFICATE-----\n';

/** The process under test: API server, controllers and scheduler over one store, which can be killed and started again. */
export class SimDaemon {
  readonly #options: DaemonOptions;
  #running: Running | undefined;
  /** The one that is on its way out: it has the store still. */
  #leaving: { running: Running; gone: Promise<void> } | undefined;
  #killOpening: (() => void) | undefined;
  #wanted = false;
  #starting = false;
  #compaction = Promise.withResolvers<void>();

  constructor(options: DaemonOptions) {
    this.#options = options;
  }

  /** What requests from outside reach. */
  served(): Served | undefined {
    return this.#running;
  }

  /** As the API server's own: nothing goes wrong on the way. */
  direct(): KubeClient {
    if (!this.#running) throw new Fault('unavailable', 'the API server does not run');
    return this.#running.client;
  }

  store(): Store {
    if (!this.#running) throw new Fault('unavailable', 'the store is not open');
    return this.#running.store;
  }

  /** Resolves when the history of the store is cut off next. */
  compaction(): Promise<void> {
    return this.#compaction.promise;
  }

  /** Cuts off the history of the store. */
  async compact(): Promise<void> {
    const store = this.store();
    await store.compact(store.revision());
    this.#compaction.resolve();
    this.#compaction = Promise.withResolvers<void>();
  }

  /** Starts it, trying again until it runs or is not wanted any more. */
  async start(): Promise<void> {
    this.#wanted = true;
    if (this.#starting) return;
    this.#starting = true;
    while (this.#wanted && !this.#running) {
      await this.#leaving?.gone;
      try {
        await this.#open();
      } catch (error) {
        this.#options.log.info('the daemon could not start; trying again', { error });
        await this.#options.clock.sleep(restartMs);
      }
    }
    this.#starting = false;
  }

  /** Drops it in the middle of whatever it does. */
  kill(): void {
    this.#wanted = false;
    this.#killOpening?.();
    this.#running?.kill();
    this.#running = undefined;
    this.#leaving?.running.kill();
    this.#leaving = undefined;
  }

  /** Ends it in order; resolves when all work has ended, or it was killed over that. */
  async stop(): Promise<void> {
    this.#wanted = false;
    this.#killOpening?.();
    const running = this.#running;
    if (!running) return this.#leaving?.gone;
    this.#running = undefined;
    const leaving = { running, gone: Promise.race([end(running), running.died.catch(() => {})]) };
    this.#leaving = leaving;
    await leaving.gone;
    if (this.#leaving === leaving) this.#leaving = undefined;
  }

  async #open(): Promise<void> {
    const { chance, faults, disk, keys, log } = this.#options;
    const clock = new ProcessClock(this.#options.clock);
    const { random } = chance;
    const real = new MvccStore(disk.open(clock, chance, faults), { clock, log: log.child('store') });
    const store = faultyStore(real, chance, faults);
    const died = Promise.withResolvers<never>();
    died.promise.catch(() => {});
    const kill = (): void => {
      clock.kill();
      died.reject(new Fault('unavailable', 'the API server was killed'));
    };
    this.#killOpening = kill;
    try {
      const open = await Promise.race([openServer({ store, clock, random, log, serviceCidr: '10.96.0.0/16', keys, clusterCa }), died.promise]);
      await Promise.race([open.publish(address), died.promise]);
      const stop = new AbortController();
      const parts = this.#startParts(open, clock, stop.signal);
      const client = orderedWatches(open.localClient({ name: 'sim', groups: ['system:masters'] }), this.#options.say);
      this.#running = { store: real, open, stop, parts, client, died: died.promise, kill };
    } catch (error) {
      kill();
      throw error;
    } finally {
      this.#killOpening = undefined;
    }
  }

  #startParts(open: OpenServer, clock: ProcessClock, signal: AbortSignal): Promise<unknown> {
    const { chance, faults, log, history } = this.#options;
    const { random } = chance;
    const never = new Promise<never>(() => {});
    const clientOf = (name: string, hear?: (ref: ResourceRef, revision: number) => void): KubeClient => {
      const client = orderedWatches(open.localClient({ name: `system:${name}`, groups: ['system:masters'] }), this.#options.say);
      return faultyClient({ server: () => ({ client, died: never }), compaction: () => this.compaction(), clock, chance, faults, remote: false, told: hear });
    };
    history.decisions.restart();
    const controllers = clientOf('kube-controller-manager', (ref, revision) => history.told(ref.resource, revision));
    const client = history.decisions.witness(controllers, ({ group, resource }, name, namespace) => history.find(group === '' ? resource : `${resource}.${group}`, name, namespace));
    return Promise.all([
      startControllers({ client, clock, log, random, signal, rootCa: clusterCa }),
      startScheduler({ client: clientOf('kube-scheduler'), clock, log, random, signal }),
    ]);
  }
}

async function end(running: Running): Promise<void> {
  running.stop.abort();
  await running.parts;
  await running.open.close();
  await running.store.close();
  running.kill();
}
