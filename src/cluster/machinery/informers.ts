import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import type { KubeClient, ResourceRef } from '#client/kube/types.ts';
import { createInformer } from './informer.ts';
import type { ApiObject, Informer, Informers } from './types.ts';

/** One informer for each resource, begun when it is first asked for. */
export function createInformers(options: { client: KubeClient; clock: Clock; log: Logger; signal: AbortSignal }): Informers {
  const begun = new Map<string, Informer<ApiObject>>();
  return {
    of<T extends ApiObject>(ref: ResourceRef): Informer<T> {
      const name = `${ref.group}/${ref.version}/${ref.resource}`;
      const found = begun.get(name) ?? createInformer<ApiObject>({ ...options, ref });
      begun.set(name, found);
      // The caller knows which kind the resource has.
      return found as unknown as Informer<T>;
    },
  };
}
