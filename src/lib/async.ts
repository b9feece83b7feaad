/** Small pieces for concurrency. */

export interface Deferred<T> {
  promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

export function deferred<T>(): Deferred<T> {
  return Promise.withResolvers<T>();
}

/** Runs tasks of one key one after another, of different keys side by side. */
export class KeyedMutex {
  #tails = new Map<string, Promise<unknown>>();

  async run<T>(key: string, task: () => Promise<T> | T): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const result = before.then(task, task);
    const tail = result.then(
      () => {},
      () => {},
    );
    this.#tails.set(key, tail);
    try {
      return await result;
    } finally {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    }
  }
}

/** Work that is left when its caller has its answer, by what it is on. Whoever needs it to be over waits for that. */
export class Aftermath {
  readonly #going = new Map<string, Promise<void>>();

  /** Begins `task`, after what is going on for `key`; `failed` is told of its error. */
  begin(key: string, task: () => Promise<void>, failed: (error: unknown) => void): void {
    const going: Promise<void> = this.over(key)
      .then(task)
      .catch(failed)
      .finally(() => {
        if (this.#going.get(key) === going) this.#going.delete(key);
      });
    this.#going.set(key, going);
  }

  /** Resolves when nothing goes on for `key`. */
  async over(key: string): Promise<void> {
    await this.#going.get(key);
  }

  /** Resolves when all that has begun is over. */
  async allOver(): Promise<void> {
    await Promise.all(this.#going.values());
  }
}

/** Runs at most `limit` tasks at a time, the others waiting in order. */
export class Semaphore {
  #free: number;
  #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#free = limit;
  }

  async run<T>(task: () => Promise<T> | T): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

/** `task` for each item, at most `limit` at a time; the first failure rejects, after all have ended. */
export async function forEachLimit<T>(items: Iterable<T>, limit: number, task: (item: T) => Promise<void>): Promise<void> {
  const gate = new Semaphore(limit);
  const results = await Promise.allSettled([...items].map((item) => gate.run(() => task(item))));
  const failed = results.find((r) => r.status === 'rejected');
  if (failed) throw failed.reason;
}
