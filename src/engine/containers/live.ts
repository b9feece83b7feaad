/** What is known of a container only while the daemon lives: who waits, who is attached, its health, its next restart. */
import type { WaitCondition } from '#api/docker/calls.ts';
import type { ExecCreateRequest, Health, WaitResponse } from '#api/docker/containers.ts';
import type { ExecSession } from '#core/containers/types.ts';
import type { Timer } from '#lib/clock.ts';
import type { AttachSession } from './attach-session.ts';

/** Clients that wait for one container at a time. */
const waiterLimit = 10_000;

interface Waiter {
  condition: WaitCondition;
  resolve(response: WaitResponse): void;
}

/** A further process of a container, from its creation on. */
export interface Exec {
  id: string;
  containerId: string;
  request: ExecCreateRequest;
  session?: ExecSession;
  size?: { rows: number; columns: number };
  started: boolean;
  running: boolean;
  exitCode: number | null;
}

export class Live {
  readonly sessions = new Set<AttachSession>();
  /** Those that began or may yet, and the newest of those that ended, oldest first. */
  readonly execs = new Map<string, Exec>();
  health: Health | undefined;
  /** Ends the health probes of this run. */
  endHealth: (() => void) | undefined;
  restartTimer: Timer | undefined;
  /** Milliseconds before the next restart by policy. */
  restartDelay = 0;
  /** The engine ends: no policy starts it now, but the next engine may. */
  stopsWithEngine = false;
  /** Restarts by hand that are under way: meanwhile the end of its run is not the container's. */
  restartsByHand = 0;
  #waiters = new Set<Waiter>();

  wait(condition: WaitCondition, signal: AbortSignal): Promise<WaitResponse> {
    if (this.#waiters.size >= waiterLimit) return Promise.resolve({ StatusCode: -1, Error: { Message: `more than ${waiterLimit} clients wait for this container` } });
    return new Promise((resolve) => {
      const waiter = { condition, resolve };
      this.#waiters.add(waiter);
      signal.addEventListener('abort', () => this.#waiters.delete(waiter), { once: true });
    });
  }

  /** A run ended (or could not begin): all but those who wait for the removal are told. */
  exited(response: WaitResponse): void {
    this.#tell((condition) => condition !== 'removed', response);
  }

  removed(response: WaitResponse): void {
    this.#tell(() => true, response);
  }

  #tell(who: (condition: WaitCondition) => boolean, response: WaitResponse): void {
    for (const waiter of this.#waiters) {
      if (!who(waiter.condition)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(response);
    }
  }

  /** The run is over: what belongs to it ends. Who is connected to it ends when he has taken all that it printed. */
  endRun(): void {
    this.endHealth?.();
    this.endHealth = undefined;
    for (const session of this.sessions) if (!session.isConnected) session.finish();
  }

  cancelRestart(): void {
    this.restartTimer?.cancel();
    this.restartTimer = undefined;
  }
}
