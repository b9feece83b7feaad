import type { Deferred } from '#lib/async.ts';
import { deferred } from '#lib/async.ts';
import { Fault, messageOf } from '#lib/errors.ts';
import { storeLimits } from '../types.ts';
import type { Stage } from './stage.ts';

/** Transactions committed in one write to the backend, at most. */
const transactionsPerCommit = 1024;
/** Bytes of values after which a commit takes no further transaction. */
const bytesPerCommit = 8 * 1024 * 1024;

interface Waiting {
  work: (stage: Stage) => unknown;
  outcome: Deferred<unknown>;
}

export interface CommitSteps {
  begin(): Stage;
  /** Makes the stage durable and visible; on rejection it is as if nothing was staged. */
  commit(stage: Stage): Promise<void>;
}

/**
 * Group commit: what arrives while one commit is under way, or in the same turn, is committed together in
 * the next. Nobody hears of a result, not even of a read within a transaction, before it is durable.
 */
export class Committer {
  readonly #steps: CommitSteps;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #closed: Fault | undefined;

  constructor(steps: CommitSteps) {
    this.#steps = steps;
  }

  /** Resolves with what `work` gave and the newest revision after it. */
  submit<T>(work: (stage: Stage) => T): Promise<{ value: T; revision: number }> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (this.#waiting.length >= storeLimits.waitingTransactions) {
      return Promise.reject(new Fault('unavailable', `${storeLimits.waitingTransactions} store transactions wait for the disk; try again later`));
    }
    const outcome = deferred<unknown>();
    this.#waiting.push({ work, outcome });
    this.#running ??= this.#drain();
    return outcome.promise as Promise<{ value: T; revision: number }>;
  }

  /** Refuses new work, and resolves when the accepted work has ended. */
  async close(reason: Fault): Promise<void> {
    this.#closed = reason;
    await this.#running;
  }

  async #drain(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0) await this.#commitSome();
    this.#running = undefined;
  }

  async #commitSome(): Promise<void> {
    const stage = this.#steps.begin();
    const done: { waiting: Waiting; result: unknown }[] = [];
    let taken = 0;
    let counted = 0;
    let bytes = 0;
    for (const waiting of this.#waiting) {
      if (taken >= transactionsPerCommit || bytes >= bytesPerCommit) break;
      taken++;
      try {
        const value = stage.run(() => waiting.work(stage));
        done.push({ waiting, result: { value, revision: stage.revision } });
      } catch (error) {
        waiting.outcome.reject(error);
      }
      for (; counted < stage.records.length; counted++) bytes += stage.records[counted]?.value.byteLength ?? 0;
    }
    this.#waiting.splice(0, taken);
    try {
      await this.#steps.commit(stage);
    } catch (error) {
      const fault = new Fault('internal', `the store could not write: ${messageOf(error)}; look for a full or failing disk`, { cause: error });
      for (const { waiting } of done) waiting.outcome.reject(fault);
      return;
    }
    for (const { waiting, result } of done) waiting.outcome.resolve(result);
  }
}
