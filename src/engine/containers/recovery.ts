/** What became of each container while no daemon looked: it ran on, or ended, or the host went down. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '#lib/errors.ts';
import type { ContainerContext } from './context.ts';
import type { HealthMonitor } from './health.ts';
import type { Lifecycle } from './lifecycle.ts';
import { endRun, stateOfRun } from './run.ts';
import { servesNames, serveNames } from './networking.ts';
import type { ContainerRecord } from './record.ts';
import { isAlive } from './record.ts';
import { startsWithEngine } from './restart-policy.ts';

/** The code of a run whose end nobody saw. */
const lostCode = 255;

export class Recovery {
  readonly #context: ContainerContext;
  readonly #lifecycle: Lifecycle;
  readonly #health: HealthMonitor;

  constructor(context: ContainerContext, lifecycle: Lifecycle, health: HealthMonitor) {
    this.#context = context;
    this.#lifecycle = lifecycle;
    this.#health = health;
  }

  /** Removes what creations and removals left that the daemon's end cut off: directories without a record tell of them. */
  async sweep(): Promise<void> {
    const { root, set, containers, snapshots, sandboxes, volumes, log } = this.#context;
    const names = await readdir(join(root, 'containers')).catch(() => []);
    for (const id of names.filter((name) => !set.get(name) && !set.damaged.has(name))) {
      log.info('removing what is left of a container', { id });
      await containers.remove(id);
      await sandboxes.remove(id);
      await snapshots.remove(id);
      for (const { name, anonymous } of volumes.list()) {
        if (!volumes.users(name).includes(id)) continue;
        await volumes.release(name, id);
        if (anonymous && volumes.users(name).length === 0) await volumes.remove(name);
      }
      await rm(join(root, 'containers', id), { recursive: true, force: true });
    }
  }

  async recover(id: string): Promise<void> {
    const { set, log } = this.#context;
    try {
      const goesOn = await set.lock(id, (record) => this.#look(record));
      if (!goesOn && set.get(id)) await this.#applyPolicy(id);
    } catch (error) {
      log.error('cannot recover a container', { id, error });
    }
  }

  /** True where nothing is to be done: it runs, or its own policy took over. */
  async #look(record: ContainerRecord): Promise<boolean> {
    const { set, containers, rootfs, clock } = this.#context;
    const status = containers.get(record.id);
    const { state } = record;
    if (!isAlive(record)) {
      if (status?.startedAt === undefined || status.startedAt === state.startedAt) {
        // a start or an end that the daemon's end cut off, or a restart that was waiting
        if (this.#holdsSomething(record.id)) await this.#clear(record);
        return false;
      }
      // its process was let go, and the daemon's end came before the state said so
      record = await set.setState(record.id, stateOfRun(status, state.restartCount + (state.status === 'restarting' ? 1 : 0)));
    }
    rootfs.adopt(record.id);
    if (status && !status.exit && status.startedAt !== undefined) {
      await set.setState(record.id, { status: status.state === 'paused' ? 'paused' : 'running', pid: status.pid ?? 0 });
      await this.#resume(record);
      return true;
    }
    await this.#lifecycle.settle(record, status?.exit ?? { code: lostCode, finishedAt: clock.now(), oomKilled: false });
    return set.get(record.id)?.state.status === 'restarting';
  }

  /** Whether there is anything of a run. */
  #holdsSomething(id: string): boolean {
    const { containers, sandboxes, snapshots } = this.#context;
    return containers.get(id) !== undefined || sandboxes.get(id) !== undefined || snapshots.mountpoint(id) !== undefined;
  }

  async #clear(record: ContainerRecord): Promise<void> {
    this.#context.rootfs.adopt(record.id);
    await endRun(this.#context, record, () => this.#context.rootfs.release(record.id));
  }

  async #resume(record: ContainerRecord): Promise<void> {
    const { networks, sandboxes, log } = this.#context;
    this.#health.begin(record);
    const netPath = sandboxes.get(record.id)?.netPath;
    const joined = networks.endpoints({ sandbox: record.id }).flatMap((e) => networks.get(e.networkId) ?? []);
    const named = joined.some((network) => servesNames(networks, network));
    if (!netPath || !named) return;
    await serveNames(this.#context, record, netPath).catch((error: unknown) => log.warn('cannot serve names to a container', { id: record.id, error }));
  }

  async #applyPolicy(id: string): Promise<void> {
    const { set, log } = this.#context;
    const record = set.must(id);
    if (record.state.status === 'removing' || record.state.status === 'dead') {
      await this.#lifecycle.remove(id, { force: true, volumes: record.hostConfig.AutoRemove ?? false });
      return;
    }
    const starts = startsWithEngine({
      policy: record.hostConfig.RestartPolicy,
      exitCode: record.state.exitCode,
      restartCount: record.state.restartCount,
      manuallyStopped: record.state.manuallyStopped,
      everStarted: record.state.startedAt !== undefined,
    });
    const waits = record.state.status === 'restarting';
    if (!starts && waits) await set.setState(id, { status: 'exited' });
    if (!starts) return;
    await (waits ? this.#lifecycle.restartByPolicy(id) : this.#lifecycle.start(id)).catch((error: unknown) => log.warn('a container that its policy starts did not start', { id, error: messageOf(error) }));
  }
}
