/** Follows a list in the API: all of it, then each change; again from the start where the watch breaks. */
import { Backoff } from '#lib/backoff.ts';
import type { Clock } from '#lib/clock.ts';
import { isFault } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { KubeObject } from '#api/kube/types.ts';
import type { KubeClient, ResourceRef } from '#client/kube/types.ts';

export interface Following<T> {
  client: KubeClient;
  clock: Clock;
  log: Logger;
  ref: ResourceRef;
  fieldSelector?: string;
  signal: AbortSignal;
  replace(items: readonly T[]): Promise<void> | void;
  change(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T): void;
}

/** Resolves when the signal is aborted. */
export async function follow<T extends Pick<KubeObject, 'metadata'>>(options: Following<T>): Promise<void> {
  const { client, clock, log, ref, signal } = options;
  const backoff = new Backoff(200, 10_000);
  const selector = options.fieldSelector === undefined ? {} : { fieldSelector: options.fieldSelector };
  let resourceVersion: string | undefined;
  while (!signal.aborted) {
    try {
      if (resourceVersion === undefined) {
        const list = await client.list<T>(ref, { ...selector, signal });
        await options.replace(list.items);
        ({ resourceVersion } = list.metadata);
      }
      for await (const event of client.watch<T>(ref, { ...selector, ...(resourceVersion === undefined ? {} : { resourceVersion }), allowWatchBookmarks: true, signal })) {
        resourceVersion = event.object.metadata.resourceVersion ?? resourceVersion;
        if (event.type !== 'BOOKMARK') options.change(event.type, event.object);
        backoff.reset();
      }
    } catch (error) {
      if (signal.aborted) return;
      // What happened in between is unknown: the list tells.
      resourceVersion = undefined;
      if (!isFault(error, 'expired')) log.warn('a watch broke', { resource: ref.resource, error });
    }
    await clock.sleep(backoff.next(), signal).catch(() => {});
  }
}
