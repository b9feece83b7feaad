/** Start, stop, exit, restart, removal. What changes one container runs under its lock; what waits for a process holds none. */
import type { StopOptions } from '#api/docker/calls.ts';
import type { Exit } from '#core/containers/types.ts';
import { Fault, isFault, messageOf } from '#lib/errors.ts';
import { parseSignal, sigkill, sigterm } from '../signals.ts';
import type { ContainerContext } from './context.ts';
import { emitContainer } from './context.ts';
import { HealthMonitor } from './health.ts';
import type { ContainerRecord } from './record.ts';
import { isAlive, isRunning } from './record.ts';
import { forget, removeFiles, removeLocked } from './removal.ts';
import { restartDelay } from './restart-policy.ts';
import { beginRun, endRun, runIsOver } from './run.ts';

/** Seconds between the stop signal and SIGKILL, where nobody says otherwise. */
const defaultStopSeconds = 10;

export class Lifecycle {
  readonly #context: ContainerContext;
  readonly #health: HealthMonitor;

  constructor(context: ContainerContext, health: HealthMonitor) {
    this.#context = context;
    this.#health = health;
  }

  async start(reference: string): Promise<void> {
    const { set } = this.#context;
    await set.lock(set.must(reference).id, async (record) => {
      if (record.state.status === 'paused') throw new Fault('conflict', 'cannot start a paused container, try unpause instead');
      // also one that waits for its restart: its policy starts it
      if (isRunning(record)) throw new Fault('not-modified', `container ${record.id} is already running`);
      await this.#startByHand(record);
    });
  }

  async #startByHand(record: ContainerRecord): Promise<void> {
    if (record.state.status === 'removing' || record.state.status === 'dead') throw new Fault('conflict', 'container is marked for removal and cannot be started');
    const live = this.#context.set.live(record.id);
    live.cancelRestart();
    live.restartDelay = 0;
    const fresh = await this.#context.set.setState(record.id, { manuallyStopped: false, restartCount: 0, ...(isRunning(record) ? { status: 'exited' } : {}) });
    try {
      await this.#run(fresh, 0);
    } catch (error) {
      if (record.hostConfig.AutoRemove) await removeLocked(this.#context, this.#context.set.must(record.id), { volumes: true });
      throw error;
    }
  }

  async #run(record: ContainerRecord, restartCount: number): Promise<void> {
    const running = await beginRun(this.#context, record, restartCount);
    this.#health.begin(running);
  }

  /** A core container of the engine's has exited: its record follows, whoever tells, and however often. */
  exited(id: string): Promise<void> {
    const { set, containers } = this.#context;
    if (!set.get(id)) return Promise.resolve();
    return set.lock(id, async (record) => {
      const exit = containers.get(id)?.exit;
      if (exit && isAlive(record)) await this.settle(record, exit);
    });
  }

  /** The record of a run that is over. With the lock held. */
  async settle(record: ContainerRecord, exit: Exit): Promise<void> {
    const { set } = this.#context;
    const live = set.live(record.id);
    const ranMs = exit.finishedAt - (record.state.startedAt ?? exit.finishedAt);
    emitContainer(this.#context, record, 'die', { exitCode: String(exit.code), execDuration: String(Math.max(0, Math.floor(ranMs / 1000))) });
    const delay = restartDelay({
      policy: record.hostConfig.RestartPolicy,
      exitCode: exit.code,
      manuallyStopped: record.state.manuallyStopped || live.stopsWithEngine,
      restartCount: record.state.restartCount,
      ranMs,
      lastDelay: live.restartDelay,
    });
    const ended = await set.setState(record.id, {
      status: delay === undefined ? 'exited' : 'restarting',
      pid: 0,
      exitCode: exit.code,
      oomKilled: exit.oomKilled,
      finishedAt: exit.finishedAt,
    });
    live.endRun();
    const removes = delay === undefined && live.restartsByHand === 0 && (record.hostConfig.AutoRemove ?? false);
    let removed = false;
    await endRun(this.#context, ended, async () => {
      if (!removes) return this.#context.rootfs.release(record.id);
      await removeFiles(this.#context, ended, { volumes: true });
      removed = true;
    });
    live.exited({ StatusCode: exit.code });
    if (delay !== undefined) this.#restartLater(record.id, delay);
    else if (removed) await forget(this.#context, ended);
  }

  #restartLater(id: string, delay: number): void {
    const { set, clock, log } = this.#context;
    const live = set.live(id);
    live.restartDelay = delay;
    live.restartTimer = clock.after(delay, () => {
      live.restartTimer = undefined;
      this.restartByPolicy(id).catch((error: unknown) => log.warn('a restart by policy failed', { id, error }));
    });
  }

  /** The restart that it waits for. It counts from the moment on that its process was let go, or that it failed. */
  async restartByPolicy(id: string): Promise<void> {
    const { set } = this.#context;
    if (!set.get(id)) return;
    await set.lock(id, async (record) => {
      if (record.state.status !== 'restarting') return;
      const restartCount = record.state.restartCount + 1;
      try {
        await this.#run(record, restartCount);
      } catch (error) {
        await set.setState(id, { status: 'exited', error: messageOf(error), restartCount });
        throw error;
      }
    });
  }

  async stop(reference: string, options: StopOptions): Promise<void> {
    const record = this.#context.set.must(reference);
    if (isRunning(record)) {
      await this.#stopRunning(record, options);
      emitContainer(this.#context, record, 'stop');
      return;
    }
    await runIsOver(this.#context, record.id);
    throw new Fault('not-modified', `container ${record.id} is not running`);
  }

  /** For the engine's own end: its start applies the restart policies as if nobody had stopped it. */
  async stopWithEngine(id: string): Promise<void> {
    const record = this.#context.set.must(id);
    if (!isRunning(record)) return;
    this.#context.set.live(id).stopsWithEngine = true;
    await this.#stopRunning(record, {}, false);
    emitContainer(this.#context, record, 'stop');
  }

  async #stopRunning(record: ContainerRecord, options: StopOptions, byHand = true): Promise<void> {
    const { set, containers, clock } = this.#context;
    const signal = parseSignal(options.signal ?? record.config.StopSignal ?? String(sigterm));
    const seconds = options.timeout ?? record.config.StopTimeout ?? defaultStopSeconds;
    if (await this.#markStopped(record.id, byHand)) return;
    const over = new AbortController();
    const ended = set.live(record.id).wait('not-running', over.signal);
    if (set.get(record.id)?.state.status === 'paused') await this.#ignoreGone(containers.resume(record.id));
    await this.#signal(record, signal);
    const limit = seconds < 0 ? undefined : clock.sleep(seconds * 1000, over.signal).then(() => 'timeout' as const);
    limit?.catch(() => {});
    if (this.#stillAlive(record.id) && (await Promise.race([ended, ...(limit ? [limit] : [])])) === 'timeout') {
      await this.#signal(record, sigkill);
      await ended;
    }
    over.abort(new Fault('canceled', 'stopped'));
    await runIsOver(this.#context, record.id);
  }

  /** No policy starts it any more. True where nothing ran: it waited for its restart, which is off now. */
  #markStopped(id: string, byHand = true): Promise<boolean> {
    const { set } = this.#context;
    return set.lock(id, async (record) => {
      const live = set.live(id);
      const waiting = record.state.status === 'restarting';
      live.cancelRestart();
      await set.setState(id, { ...(byHand ? { manuallyStopped: true } : {}), ...(waiting ? { status: 'exited' as const } : {}) });
      return waiting || !isRunning(record);
    });
  }

  #stillAlive(id: string): boolean {
    const record = this.#context.set.get(id);
    return record !== undefined && isAlive(record);
  }

  async #signal(record: ContainerRecord, signal: number): Promise<void> {
    emitContainer(this.#context, record, 'kill', { signal: String(signal) });
    await this.#ignoreGone(this.#context.containers.kill(record.id, signal));
  }

  async #ignoreGone(task: Promise<void>): Promise<void> {
    await task.catch((error: unknown) => {
      if (!isFault(error, 'conflict', 'not-found')) throw error;
    });
  }

  async restart(reference: string, options: StopOptions): Promise<void> {
    const { set } = this.#context;
    const record = set.must(reference);
    const live = set.live(record.id);
    // what is removed at its end must live through its restart
    live.restartsByHand++;
    try {
      if (isRunning(record)) {
        await this.#stopRunning(record, options);
        emitContainer(this.#context, record, 'stop');
      }
      await set.lock(record.id, async (stopped) => {
        if (!isAlive(stopped)) await this.#startByHand(stopped);
      });
    } finally {
      live.restartsByHand--;
    }
    emitContainer(this.#context, record, 'restart');
  }

  async kill(reference: string, signal: string | undefined): Promise<void> {
    const { set, containers } = this.#context;
    const record = set.must(reference);
    const number = signal === undefined ? sigkill : parseSignal(signal);
    if (!isRunning(record)) throw new Fault('conflict', `cannot kill container: ${reference}: container ${record.id} is not running`);
    // a signal that ends it is meant to: no policy starts it again
    const stopSignal = parseSignal(record.config.StopSignal ?? String(sigterm));
    if ((number === sigkill || number === stopSignal) && (await this.#markStopped(record.id))) return;
    // what waits for its restart has no process yet
    if (set.get(record.id)?.state.status === 'restarting') return;
    if (number !== sigkill) {
      emitContainer(this.#context, record, 'kill', { signal: String(number) });
      await containers.kill(record.id, number);
      return;
    }
    const gone = new AbortController();
    const ended = set.live(record.id).wait('not-running', gone.signal);
    emitContainer(this.#context, record, 'kill', { signal: String(number) });
    await this.#ignoreGone(containers.kill(record.id, number));
    if (this.#stillAlive(record.id)) await ended;
    gone.abort();
  }

  pause(reference: string): Promise<void> {
    const { set, containers } = this.#context;
    return set.lock(set.must(reference).id, async (record) => {
      if (record.state.status === 'paused') throw new Fault('conflict', `Container ${reference} is already paused`);
      if (record.state.status !== 'running') throw new Fault('conflict', `Container ${reference} is not running`);
      await containers.pause(record.id);
      emitContainer(this.#context, await set.setState(record.id, { status: 'paused' }), 'pause');
    });
  }

  unpause(reference: string): Promise<void> {
    const { set, containers } = this.#context;
    return set.lock(set.must(reference).id, async (record) => {
      if (record.state.status !== 'paused') throw new Fault('conflict', `Container ${reference} is not paused`);
      await containers.resume(record.id);
      emitContainer(this.#context, await set.setState(record.id, { status: 'running' }), 'unpause');
    });
  }

  async remove(reference: string, options: { force: boolean; volumes: boolean }): Promise<void> {
    const { set } = this.#context;
    const record = set.must(reference);
    if (isRunning(record)) {
      if (!options.force) {
        const { status } = record.state;
        const what = status === 'paused' ? 'container is paused and must be unpaused first' : `container is ${status}: stop the container before removing or force remove`;
        throw new Fault('conflict', `cannot remove container "/${record.name}": ${what}`);
      }
      await this.kill(record.id, undefined);
    }
    // with AutoRemove the kill removed it
    if (!set.get(record.id)) return;
    await set.lock(record.id, async (stopped) => {
      if (isAlive(stopped)) throw new Fault('conflict', `cannot remove container "/${record.name}": it was started again meanwhile`);
      await removeLocked(this.#context, stopped, options);
    }).catch((error: unknown) => {
      if (set.get(record.id) || !isFault(error, 'not-found')) throw error;
    });
  }
}
