import type { KubeClient } from '#client/kube/types.ts';
import type { Served } from '../discovery.ts';
import { listAll } from '../discovery.ts';
import type { Contents } from './plan.ts';

/**
 * What is left in a namespace, read anew: an informer could still miss what was made last.
 * Pods alone as long as there are any, since nothing else goes before them.
 */
export async function contentsOf(client: KubeClient, served: readonly Served[], namespace: string, signal: AbortSignal): Promise<Contents[]> {
  const isPods = ({ ref }: Served): boolean => ref.group === '' && ref.resource === 'pods';
  const read = async (which: readonly Served[]): Promise<Contents[]> => {
    const lists = which.map(async (one) => ({ served: one, objects: await listAll(client, one, namespace, signal) }));
    return (await Promise.all(lists)).filter(({ objects }) => objects.length > 0);
  };
  const namespaced = served.filter((one) => one.namespaced);
  const pods = await read(namespaced.filter(isPods));
  return pods.length > 0 ? pods : read(namespaced.filter((one) => !isPods(one)));
}
