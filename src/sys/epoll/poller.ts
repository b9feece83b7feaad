import { writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { assert } from '#lib/assert.ts';
import { ownWorker } from '#lib/own-modules.ts';
import { check, libc } from '../libc.ts';
import { encodeEvent, EPOLLIN, EPOLLONESHOT } from './events.ts';

/** Pairs of watch id and events. */
export type Ready = [id: number, events: number][];

const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
const EPOLL_CLOEXEC = 0o2000000;
const EFD_FLAGS = 0o2000000 | 0o4000; // EFD_CLOEXEC | EFD_NONBLOCK

/** A descriptor that is watched. It fires once each time that it is armed. */
export interface Watch {
  arm(events: number): void;
  /** Before the descriptor is closed. Does not close it. */
  close(): void;
}

/**
 * Readiness of descriptors that Node cannot poll. The main thread adds and arms them in the epoll set itself;
 * one worker thread waits on the set and tells. The process stays up while something is watched.
 */
export class Poller {
  #epoll = -1;
  #wake = -1;
  #worker: Worker | undefined;
  #watches = new Map<number, (events: number) => void>();
  #nextId = 1;

  /** Starts the thread, so that the first watch need not wait for it. */
  start(): void {
    if (this.#worker) return;
    this.#epoll = check(libc().epoll_create1(EPOLL_CLOEXEC), 'epoll_create1');
    this.#wake = check(libc().eventfd(0, EFD_FLAGS), 'eventfd');
    this.#control(EPOLL_CTL_ADD, this.#wake, EPOLLIN, 0);
    this.#worker = new Worker(ownWorker('sys/epoll/worker.ts'), {
      workerData: { epoll: this.#epoll },
      execArgv: [],
      env: {},
      name: 'epoll',
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
    });
    this.#worker.on('message', (ready: Ready) => {
      for (const [id, events] of ready) this.#watches.get(id)?.(events);
    });
    this.#worker.unref();
    // Node joins its threads when it ends, and this one would wait for ever.
    process.once('exit', () => this.#stop());
  }

  /** Watches `fd`, armed with `events` unless they are 0. `fired` must not throw. */
  watch(fd: number, events: number, fired: (events: number) => void): Watch {
    this.start();
    const id = this.#takeId();
    // With no event asked for, an armed watch would still report a hang-up: it is added when first armed.
    let added = false;
    const arm = (wanted: number): void => {
      this.#control(added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, wanted | EPOLLONESHOT, id);
      added = true;
    };
    if (events !== 0) arm(events);
    this.#watches.set(id, fired);
    if (this.#watches.size === 1) this.#worker?.ref();
    return {
      arm,
      close: () => {
        if (!this.#watches.delete(id)) return;
        if (added) libc().epoll_ctl(this.#epoll, EPOLL_CTL_DEL, fd, null);
        if (this.#watches.size === 0) this.#worker?.unref();
      },
    };
  }

  /** Resolves with the events when `fd` is ready; rejects with the signal's reason. */
  ready(fd: number, events: number, signal?: AbortSignal): Promise<number> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const onAbort = (): void => {
        watch.close();
        reject(signal?.reason as Error);
      };
      const watch = this.watch(fd, events, (happened) => {
        watch.close();
        signal?.removeEventListener('abort', onAbort);
        resolve(happened);
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  #takeId(): number {
    const id = this.#nextId;
    this.#nextId = id === 0xffffffff ? 1 : id + 1;
    assert(!this.#watches.has(id), `watch ${id} is free`);
    return id;
  }

  #control(operation: number, fd: number, events: number, id: number): void {
    check(libc().epoll_ctl(this.#epoll, operation, fd, encodeEvent(events, id)), `epoll_ctl of descriptor ${fd}`);
  }

  #stop(): void {
    const one = Buffer.alloc(8);
    one.writeBigUInt64LE(1n);
    writeSync(this.#wake, one);
  }
}

let shared: Poller | undefined;

/** The one poller of this process. */
export function sharedPoller(): Poller {
  shared ??= new Poller();
  return shared;
}
