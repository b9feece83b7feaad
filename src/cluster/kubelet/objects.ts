/** Objects that pods name, read when they are needed. */
import type { ConfigMap, Secret } from '#api/kube/types.ts';
import { configMaps, secrets } from '#client/kube/resources.ts';
import type { ResourceRef } from '#client/kube/types.ts';
import { isFault } from '#lib/errors.ts';
import type { PodObjects } from './container/environment.ts';
import type { NodeContext } from './types.ts';

export function podObjects({ client, services }: NodeContext, namespace: string): PodObjects {
  const optional = async <T>(ref: ResourceRef, name: string): Promise<T | undefined> => {
    try {
      return await client.get<T>(ref, name, namespace);
    } catch (error) {
      if (isFault(error, 'not-found')) return undefined;
      throw error;
    }
  };
  return {
    configMap: (name) => optional<ConfigMap>(configMaps, name),
    secret: (name) => optional<Secret>(secrets, name),
    services() {
      const seen = services.list().filter(({ metadata }) => metadata.namespace === namespace || (metadata.namespace === 'default' && metadata.name === 'kubernetes'));
      // The pod's own namespace has the last word.
      return Promise.resolve(seen.toSorted((a, b) => Number(a.metadata.namespace === namespace) - Number(b.metadata.namespace === namespace)));
    },
  };
}
