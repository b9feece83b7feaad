/** Which container on which node a request means. */
import type { Container, Node, Pod } from '#api/kube/types.ts';
import type { Core } from '../core.ts';
import { badRequest, notFound, statusFault } from '../status.ts';
import type { Target } from '../types.ts';

const defaultContainer = 'kubectl.kubernetes.io/default-container';
const defaultKubeletPort = 10_250;

export interface NodeAddress {
  /** The node's name. */
  node: string;
  host: string;
  port: number;
}

/** Throws `not-found`. */
export function podOf(core: Core, { resource, namespace, name }: Target): Pod {
  const found = core.objects.of(resource).get(namespace, name);
  if (!found) throw notFound(resource, name);
  return found.object as unknown as Pod;
}

/** The container asked for, or the one that is meant where none is. Throws `invalid` where that is not clear. */
export function containerOf(pod: Pod, asked: string): string {
  const { containers, initContainers = [], ephemeralContainers = [] } = pod.spec;
  const name = pod.metadata.name ?? '';
  if (asked !== '') {
    const known = [...containers, ...initContainers, ...ephemeralContainers].some((container) => container.name === asked);
    if (known) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${name}`);
  }
  const [only] = containers;
  if (only && containers.length === 1) return only.name;
  const preferred = pod.metadata.annotations?.[defaultContainer];
  if (preferred !== undefined && containers.some((container) => container.name === preferred)) return preferred;
  const inits = initContainers.length > 0 ? ` or one of the init containers: ${names(initContainers)}` : '';
  throw badRequest(`a container name must be specified for pod ${name}, choose one of: ${names(containers)}${inits}`);
}

function names(containers: readonly Pick<Container, 'name'>[]): string {
  return `[${containers.map(({ name }) => name).join(' ')}]`;
}

/** Where the agent of a node listens. Throws `not-found`, and `unavailable` for a node without an address. */
export function addressOfNode(core: Core, node: string): NodeAddress {
  const resource = core.resources.find('', 'v1', 'nodes');
  const found = core.objects.find(resource)?.get('', node);
  if (!found) throw notFound({ group: '', plural: 'nodes' }, node);
  const { status } = found.object as unknown as Node;
  const host = status?.addresses?.find(({ type }) => type === 'InternalIP')?.address;
  if (host === undefined) throw statusFault('unavailable', `no preferred addresses found for node ${node}; its agent has not said where it is`);
  return { node, host, port: status?.daemonEndpoints?.kubeletEndpoint?.Port ?? defaultKubeletPort };
}
