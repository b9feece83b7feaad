/** What showing a container asks of other rooms. A list of many asks each thing once: the containers share images and networks. */
import type { Endpoint, Network } from '#core/networks/types.ts';
import type { ContainerContext } from './context.ts';

export interface LookUps {
  /** The id of the image that has the name. */
  imageId(name: string): string | undefined;
  network(reference: string): Network | undefined;
  endpoint(network: string, container: string): Endpoint | undefined;
}

export function lookUps({ images, networks }: Pick<ContainerContext, 'images' | 'networks'>): LookUps {
  return {
    imageId: (name) => images.get(name)?.id,
    network: (reference) => networks.get(reference),
    endpoint: (network, sandbox) => networks.endpoints({ network, sandbox })[0],
  };
}

/** The same for as long as nothing changes: for one answer. */
export function sharedLookUps(context: Pick<ContainerContext, 'images' | 'networks'>): LookUps {
  const each = lookUps(context);
  const endpoints = new Map(context.networks.endpoints({}).map((endpoint) => [`${endpoint.networkId} ${endpoint.sandboxId}`, endpoint]));
  return {
    imageId: once((name) => each.imageId(name)),
    network: once((reference) => each.network(reference)),
    endpoint: (network, container) => endpoints.get(`${network} ${container}`),
  };
}

function once<T>(look: (key: string) => T): (key: string) => T {
  const known = new Map<string, T>();
  return (key) => {
    if (!known.has(key)) known.set(key, look(key));
    return known.get(key) as T;
  };
}
