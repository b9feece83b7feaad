import { Worker } from 'node:worker_threads';
import { Semaphore } from '#lib/async.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import { Fault, isFault, messageOf } from '#lib/errors.ts';
import { ownWorker } from '#lib/own-modules.ts';
import type { Digest } from '#core/content/types.ts';
import type { Unpacked, UnpackReply, UnpackRequest } from './messages.ts';

export const unpackLimits = {
  /** Layers unpacked at the same time. */
  workers: 2,
  /** Milliseconds that a worker without work is kept. */
  idleMs: 10_000,
} as const;

export interface UnpackJob {
  blob: string;
  target: string;
  diffId: Digest;
  onProgress?: (bytes: number) => void;
  signal?: AbortSignal;
}

/** Unpacks on a few threads, started when needed and ended when idle. */
export class UnpackPool {
  readonly #clock: Clock;
  readonly #gate = new Semaphore(unpackLimits.workers);
  readonly #idle: { worker: Worker; timer: Timer }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  run(job: UnpackJob): Promise<Unpacked> {
    return this.#gate.run(async () => {
      if (job.signal?.aborted) throw canceled();
      const worker = this.#take();
      try {
        const result = await work(worker, job);
        this.#give(worker);
        return result;
      } catch (error) {
        // A refused archive leaves it as it was; after anything else, whatever state it is in, the next job gets a fresh one.
        if (isFault(error, 'invalid', 'too-large', 'not-implemented')) this.#give(worker);
        else await worker.terminate();
        throw error;
      }
    });
  }

  async close(): Promise<void> {
    for (const { worker, timer } of this.#idle.splice(0)) {
      timer.cancel();
      await worker.terminate();
    }
  }

  #take(): Worker {
    const idle = this.#idle.pop();
    idle?.timer.cancel();
    const worker = idle?.worker ?? new Worker(ownWorker('core/snapshots/unpack/worker.ts'), {
      name: 'unpack',
      // Descriptors that the kernel facility opened are closed by Node, which would warn of each.
      trackUnmanagedFds: false,
    });
    worker.ref();
    return worker;
  }

  #give(worker: Worker): void {
    worker.unref();
    const timer = this.#clock.after(unpackLimits.idleMs, () => {
      const at = this.#idle.findIndex((entry) => entry.worker === worker);
      if (at >= 0) this.#idle.splice(at, 1);
      void worker.terminate();
    });
    timer.unref();
    this.#idle.push({ worker, timer });
  }
}

async function work(worker: Worker, job: UnpackJob): Promise<Unpacked> {
  const send = (request: UnpackRequest): void => worker.postMessage(request);
  const onAbort = (): void => send({ kind: 'cancel' });
  const { promise, resolve, reject } = Promise.withResolvers<Unpacked>();
  const onMessage = (reply: UnpackReply): void => {
    if (reply.kind === 'progress') job.onProgress?.(reply.bytes);
    else if (reply.kind === 'done') resolve(reply);
    else reject(new Fault(reply.fault, reply.message));
  };
  const onError = (error: unknown): void => reject(new Fault('internal', `the unpack thread failed: ${messageOf(error)}`, { cause: error }));
  const onExit = (): void => reject(new Fault('internal', 'the unpack thread ended'));
  worker.on('message', onMessage).on('error', onError).on('exit', onExit);
  job.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    send({ kind: 'unpack', blob: job.blob, target: job.target, diffId: job.diffId });
    return await promise;
  } finally {
    job.signal?.removeEventListener('abort', onAbort);
    worker.off('message', onMessage).off('error', onError).off('exit', onExit);
  }
}

function canceled(): Fault {
  return new Fault('canceled', 'layer: unpacking was canceled');
}
