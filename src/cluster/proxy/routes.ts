/**
 * Routes to the pods of other nodes: each node's range of pods is reached at the node's address. As a Node comes, goes or
 * moves, its route does; and what a link took with it when it went down comes back.
 */
import type { Node } from '#api/kube/types.ts';
import { nodes as nodesRef } from '#client/kube/resources.ts';
import type { KubeClient } from '#client/kube/types.ts';
import { createInformer } from '#cluster/machinery/informer.ts';
import { every, type Clock } from '#lib/clock.ts';
import { contains, overlaps, parseCidr, type Ipv4Block } from '#lib/ipv4.ts';
import type { Logger } from '#lib/log.ts';

/** The part of a network namespace that it needs; a handle of `Kernel.netlinks` fits. */
export interface RouteTable {
  routes(): readonly RouteTo[];
  addRoute(route: RouteTo): void;
  deleteRoute(destination: string): void;
  close(): void;
}

export interface RouteTo {
  destination: string;
  via?: string;
}

export interface RoutesOptions {
  client: KubeClient;
  clock: Clock;
  log: Logger;
  /** Opens the table; each use closes it. */
  table: () => RouteTable;
  /** The node that this is; undefined for the host in front of its nodes. */
  nodeName?: string;
  /** What nodes may have ranges of: other routes are not touched. */
  clusterCidr: string;
  /** The way to all else, where it is to be kept too. */
  gateway?: string;
  signal: AbortSignal;
}

export type RouteOperation = { do: 'add'; route: Required<RouteTo> } | { do: 'delete'; destination: string };

/** Milliseconds between looks at whether the routes are still there: a link that goes down takes them along. */
const lookMs = 3_000;
const everywhere = '0.0.0.0/0';

/** Keeps the routes until the signal; resolves when those of the nodes that there are hold. */
export async function startNodeRoutes(options: RoutesOptions): Promise<void> {
  const { client, clock, signal } = options;
  const log = options.log.child('routes');
  const nodes = createInformer<Node>({ client, clock, log, signal, ref: nodesRef });
  const bring = (): void => {
    if (signal.aborted) return;
    const table = options.table();
    try {
      for (const operation of planRoutes(nodes.list(), table.routes(), options)) {
        if (operation.do === 'add') table.addRoute(operation.route);
        else table.deleteRoute(operation.destination);
      }
    } catch (error) {
      log.warn('the routes to nodes cannot be changed; trying again', { error });
    } finally {
      table.close();
    }
  };
  await nodes.synced;
  nodes.onChange(bring);
  bring();
  const timer = every(clock, lookMs, bring).unref();
  signal.addEventListener('abort', () => timer.cancel(), { once: true });
}

export function planRoutes(nodes: readonly Node[], present: readonly RouteTo[], options: Pick<RoutesOptions, 'nodeName' | 'clusterCidr' | 'gateway'>): RouteOperation[] {
  const wanted = wantedRoutes(nodes, options);
  const stale = present.filter(({ destination, via }) => via !== undefined && isIn(options.clusterCidr, destination) && !wanted.has(destination));
  if (options.gateway !== undefined) wanted.set(everywhere, options.gateway);
  const has = new Map(present.map(({ destination, via }) => [destination, via]));
  return [
    ...stale.map(({ destination }): RouteOperation => ({ do: 'delete', destination })),
    ...[...wanted].filter(([destination, via]) => has.get(destination) !== via).map(([destination, via]): RouteOperation => ({ do: 'add', route: { destination, via } })),
  ];
}

/**
 * A node says itself what its range is. It is not believed where that would lead away what is not pods of its own: it is to
 * be a part of the cluster's range that holds no node's address, and meets no range of this node or of an older one.
 */
function wantedRoutes(nodes: readonly Node[], { nodeName, clusterCidr }: Pick<RoutesOptions, 'nodeName' | 'clusterCidr'>): Map<string, string> {
  const wanted = new Map<string, string>();
  const isOwn = ({ metadata }: Node): boolean => metadata.name === nodeName;
  const addresses = nodes.map(addressOf).filter((address) => address !== undefined);
  const taken: Ipv4Block[] = [];
  const byAge = nodes.toSorted((a, b) => Number(isOwn(b)) - Number(isOwn(a)) || (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? ''));
  for (const node of byAge) {
    const { podCIDR } = node.spec;
    const via = addressOf(node);
    const range = podCIDR === undefined ? undefined : parseCidr(podCIDR);
    if (podCIDR === undefined || !range || range.address !== range.base || via === undefined) continue;
    if (!isIn(clusterCidr, podCIDR) || !isIn(clusterCidr, via) || addresses.some((address) => isIn(podCIDR, address)) || taken.some((other) => overlaps(other, range))) continue;
    taken.push(range);
    if (!isOwn(node)) wanted.set(podCIDR, via);
  }
  return wanted;
}

function addressOf({ status }: Node): string | undefined {
  return status?.addresses?.find(({ type }) => type === 'InternalIP')?.address;
}

function isIn(cidr: string, text: string): boolean {
  const whole = parseCidr(cidr);
  const block = parseCidr(text.includes('/') ? text : `${text}/32`);
  return whole !== undefined && block !== undefined && block.prefix >= whole.prefix && contains(whole, block.base);
}
