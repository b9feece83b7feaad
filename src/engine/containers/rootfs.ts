/** Root file systems of containers that do not run, mounted for as long as somebody looks into them. */
import type { Snapshots } from '#core/snapshots/types.ts';
import { KeyedMutex } from '#lib/async.ts';

export class Rootfs {
  readonly #snapshots: Snapshots;
  readonly #users = new Map<string, number>();
  readonly #locks = new KeyedMutex();

  constructor(snapshots: Snapshots) {
    this.#snapshots = snapshots;
  }

  /** Mounts it, and keeps it until `release` was called as often. */
  hold(id: string): Promise<string> {
    return this.#locks.run(id, async () => {
      const root = await this.#snapshots.mount(id);
      this.#users.set(id, (this.#users.get(id) ?? 0) + 1);
      return root;
    });
  }

  release(id: string): Promise<void> {
    return this.#locks.run(id, async () => {
      const left = (this.#users.get(id) ?? 1) - 1;
      if (left > 0) {
        this.#users.set(id, left);
        return;
      }
      this.#users.delete(id);
      await this.#snapshots.unmount(id);
    });
  }

  /** A run that began before this daemon holds its mount. */
  adopt(id: string): void {
    this.#users.set(id, (this.#users.get(id) ?? 0) + 1);
  }

  async use<T>(id: string, task: (root: string) => Promise<T>): Promise<T> {
    const root = await this.hold(id);
    try {
      return await task(root);
    } finally {
      await this.release(id);
    }
  }

  /** Nobody may look any more: the snapshot goes. */
  forget(id: string): void {
    this.#users.delete(id);
  }
}
