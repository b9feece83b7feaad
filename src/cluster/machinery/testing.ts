/** A list in memory that stands for the API, for tests of what follows it. */
import type { KubeObject } from '#api/kube/types.ts';
import { Fault } from '#lib/errors.ts';
import type { KubeClient, WatchEvent } from '#client/kube/types.ts';

export class ListedObjects {
  readonly #objects = new Map<string, KubeObject>();
  readonly #watches: { tell(event: WatchEvent<KubeObject>): void; fail(error: Error): void }[] = [];
  readonly #told: WatchEvent<KubeObject>[] = [];
  #revision = 0;
  /** Lists that were asked for, and the revisions from which watches were. */
  lists = 0;
  watchedFrom: (string | undefined)[] = [];

  set(name: string, fields: Record<string, unknown> = {}, uid = name): void {
    const type = this.#objects.has(name) ? 'MODIFIED' : 'ADDED';
    const metadata = { name, namespace: 'default', uid, resourceVersion: String(++this.#revision) };
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata, ...fields };
    this.#objects.set(name, object);
    this.#tell({ type, object });
  }

  delete(name: string): void {
    const object = this.#objects.get(name);
    if (!object) return;
    this.#objects.delete(name);
    const metadata = { ...object.metadata, resourceVersion: String(++this.#revision) };
    this.#tell({ type: 'DELETED', object: { ...object, metadata } });
  }

  #tell(event: WatchEvent<KubeObject>): void {
    this.#told.push(event);
    for (const watch of this.#watches) watch.tell(event);
  }

  /** Tells all changes since the first one again, as a watch that goes on from an older revision. */
  repeat(): void {
    for (const event of this.#told) for (const watch of this.#watches) watch.tell(event);
  }

  /** Ends all watches; what is set before the next one begins is not told. */
  break(kind: 'expired' | 'unavailable'): void {
    for (const watch of this.#watches.splice(0)) watch.fail(new Fault(kind, 'the watch broke'));
  }

  client(): KubeClient {
    const list = (): Promise<unknown> => {
      this.lists++;
      return Promise.resolve({ items: [...this.#objects.values()], metadata: { resourceVersion: String(this.#revision) } });
    };
    const watch = (_ref: unknown, { resourceVersion, signal }: { resourceVersion?: string; signal: AbortSignal }): unknown => {
      this.watchedFrom.push(resourceVersion);
      return this.#watch(signal);
    };
    // Only what an informer calls.
    return { list, watch } as unknown as KubeClient;
  }

  async *#watch(signal: AbortSignal): AsyncGenerator<WatchEvent<KubeObject>> {
    const waiting: WatchEvent<KubeObject>[] = [];
    let woken = Promise.withResolvers<void>();
    this.#watches.push({
      tell: (event) => {
        waiting.push(event);
        woken.resolve();
      },
      fail: (error) => woken.reject(error),
    });
    signal.addEventListener('abort', () => woken.resolve());
    while (!signal.aborted) {
      await woken.promise;
      woken = Promise.withResolvers<void>();
      yield* waiting.splice(0);
    }
  }
}
