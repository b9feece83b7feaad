/** Objects that pods name, read when they are needed. */
import type { ConfigMap, Secret, Service } from '#api/kube/types.ts';
import type { KubeClient, ResourceRef } from '#client/kube/types.ts';
import { isFault } from '#lib/errors.ts';
import type { PodObjects } from './container/environment.ts';
import { configMapsRef, secretsRef, servicesRef } from './types.ts';

export function podObjects(client: KubeClient, namespace: string): PodObjects {
  const optional = async <T>(ref: ResourceRef, name: string): Promise<T | undefined> => {
    try {
      return await client.get<T>(ref, name, namespace);
    } catch (error) {
      if (isFault(error, 'not-found')) return undefined;
      throw error;
    }
  };
  return {
    configMap: (name) => optional<ConfigMap>(configMapsRef, name),
    secret: (name) => optional<Secret>(secretsRef, name),
    async services() {
      const own = await client.list<Service>(servicesRef, { namespace });
      if (namespace === 'default') return own.items;
      const cluster = await client.list<Service>(servicesRef, { namespace: 'default', fieldSelector: 'metadata.name=kubernetes' });
      return [...cluster.items, ...own.items];
    },
  };
}
