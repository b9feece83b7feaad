/**
 * The Service proxy of one node: Services and their EndpointSlices become nftables rules.
 *
 * A *frontend* is an address and port (or a node port) that a Service is reached at; its *backends* are the endpoints
 * that a connection may go to, picked at random. Where the Service wants affinity, what a client got is remembered
 * in a map that packets write themselves (of the connection's original address, so before the client's own is hidden). The
 * rules are few and the same for every Service: *maps* hold the frontends and backends, one chain for each number of
 * backends does the picking, so a change is a change of map elements, whatever the number of Services.
 *
 * Life: informers -> `frontendsOf`, `stateOf` (pure) -> `changes` from what is applied (pure; its text is the transaction) ->
 * one transaction. At start the whole table is replaced. Rules outlive the daemon. A connection stays where its first packet
 * was led; what a backend has not taken when it goes is led anew, and of a node that is cut off all (`connections.ts`).
 */

export type Protocol = 'tcp' | 'udp' | 'sctp';

export interface Backend {
  address: string;
  port: number;
}

export interface Frontend {
  /** Undefined: a node port, on every address of the node. */
  address?: string;
  /** Whether the address is not the Service's own, but one that it names (external addresses, load balancers). */
  outer?: boolean;
  port: number;
  protocol: Protocol;
  backends: readonly Backend[];
  /** Seconds without a new connection that a client stays with its backend; 0: no affinity. */
  affinitySeconds: number;
}

/** What the rules must hold; keys and values are nft's own text. */
export interface ProxyState {
  /** `address . protocol . port` -> chain. */
  services: ReadonlyMap<string, string>;
  nodePorts: ReadonlyMap<string, string>;
  /** The frontend's key and a mark -> `address . port`. */
  backends: ReadonlyMap<string, string>;
  nodeBackends: ReadonlyMap<string, string>;
  /** Frontends with affinity -> the chain that remembers. */
  remembered: ReadonlyMap<string, string>;
  nodeRemembered: ReadonlyMap<string, string>;
  /** Backends that may call themselves through a Service. */
  itself: ReadonlySet<string>;
}

/** Where in the network the proxy is. */
export interface ProxyPlace {
  serviceCidr: string;
  /**
   * Who comes in by a link and is led out by it again to a backend, which could answer without passing here: for them it
   * is this place that calls. `sources` is nft's text (`10.244.0.0/16`, `!= 10.244.1.0/24`).
   */
  turned?: { sources: string; link: string };
}

/** The part of the kernel that the proxy needs; `Kernel.nft` fits. */
export interface ProxyRules {
  run(commands: string, path?: string): void;
}

export const proxyLimits = {
  /** Backends of one frontend; more are left out. */
  backends: 1000,
} as const;
