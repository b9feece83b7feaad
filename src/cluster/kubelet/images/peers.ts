/** The peers of a node's image store: the agents of the other nodes, found by their Node objects. */
import type { Node } from '#api/kube/types.ts';
import type { KubeClient } from '#client/kube/types.ts';
import { nodes } from '#client/kube/resources.ts';
import { createInformer } from '#cluster/machinery/informer.ts';
import { peerLimits } from '#core/images/peers/types.ts';
import type { Peer, Peers } from '#core/images/peers/types.ts';
import type { Clock } from '#lib/clock.ts';
import { createHttpTransport } from '#lib/http-client.ts';
import type { Logger } from '#lib/log.ts';

export interface ClusterPeersOptions {
  client: KubeClient;
  clock: Clock;
  log: Logger;
  /** Ends the watch of nodes. */
  signal: AbortSignal;
  /** The node whose store it is; none where it is no node's. */
  self?: string;
  /** Stores that are no node's: the engine's. */
  others?: readonly Peer[];
  /** PEM: the cluster's authority, and a certificate of the group `system:nodes`. */
  tls: { ca: string; cert: string; key: string };
}

/** Milliseconds that the first question waits for the list of nodes. */
const listMs = 2000;

/** Follows the nodes from now on. */
export function clusterPeers(options: ClusterPeersOptions): Peers {
  const { client, clock, log, signal, self, others = [], tls } = options;
  const known = createInformer<Node>({ client, ref: nodes, clock, log, signal });
  const synced = known.synced.catch(() => {});
  const listed = Promise.race([synced, clock.sleep(listMs, signal).catch(() => {})]);
  return {
    transport: createHttpTransport({ tls, connectMs: peerLimits.connectMs, idleMs: peerLimits.idleMs }),
    async list() {
      await listed;
      return [...others, ...known.list().flatMap((node) => (node.metadata.name === self ? [] : (peerOf(node) ?? [])))];
    },
  };
}

/** Where a node's agent answers; undefined while the node is not ready. */
export function peerOf(node: Node): Peer | undefined {
  const { conditions = [], addresses = [], daemonEndpoints } = node.status ?? {};
  const isReady = conditions.some((condition) => condition.type === 'Ready' && condition.status === 'True');
  const address = addresses.find((one) => one.type === 'InternalIP')?.address;
  const port = daemonEndpoints?.kubeletEndpoint?.Port;
  if (!isReady || address === undefined || !port) return undefined;
  const host = address.includes(':') ? `[${address}]` : address;
  return URL.canParse(`https://${host}:${port}`) ? { name: node.metadata.name ?? host, url: new URL(`https://${host}:${port}`) } : undefined;
}
