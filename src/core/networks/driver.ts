/**
 * A network driver: what a network of one kind is on this host, and how a sandbox is joined to it.
 *
 * `Networks` keeps the records, addresses, names and published ports of all networks alike, and asks a network's driver for the
 * rest, in this order: `describe` completes what is asked for, `raise` makes the host's side, `join` makes an endpoint in a
 * sandbox's namespace; `leave` or `retire` takes it out again, and `lower` removes the host's side. After a start of the daemon
 * `recover` completes the kernel to the records; links by the instance's names (`links.ts`) that no record has are gone by then.
 * Calls for one network or one sandbox never overlap, and each does all or nothing.
 * A driver is a folder here and a line in `open.ts`; who creates a network asks for it by its name.
 */
import type { ElementChange } from './rules.ts';
import type { Endpoint, EndpointSpec, Network, NetworkSpec } from './types.ts';

export interface NetworkDriver {
  readonly name: string;
  /** Whether there is a network by its own name from the first start. */
  readonly predefined: boolean;
  /**
   * The network as it will be kept: options checked and, for its own one, defaulted; a subnet, the first free one after `skip`
   * others where none is asked for. Fault `not-implemented` names an option that it does not have.
   */
  describe(asked: AskedNetwork, skip: number): Network;
  /** Makes the host's side; what is there already is completed. */
  raise(network: Network): void;
  /** Whether the host has its link before it was raised: of somebody else, or of an earlier time. */
  present(network: Network): boolean;
  /** Whether somebody else took its subnet at the same moment. */
  contested(network: Network): boolean;
  lower(network: Network): void;
  /** What it adds to the sets of the instance's nftables table (`rules.ts`). */
  elements(network: Network): ElementChange[];
  /** Absent: its sandboxes have no endpoints, they use their namespace as it is. */
  endpoints?: EndpointDriver;
}

export interface AskedNetwork {
  id: string;
  spec: NetworkSpec;
  /** The one that is there from the first start. */
  predefined: boolean;
  /** Networks that there are: their subnets are taken. */
  existing: readonly Network[];
  /** Milliseconds since the epoch. */
  createdAt: number;
}

/** An endpoint with the namespace that it is in. */
export interface PlacedEndpoint extends Endpoint {
  namespace: string;
}

export interface EndpointDriver {
  /** Completes links to the records: joins what lost its links. */
  recover(networks: readonly Network[], endpoints: readonly PlacedEndpoint[], onFailure: (endpoint: PlacedEndpoint, error: unknown) => void): void;
  /** The first of eth0, eth1, … that is free inside. */
  freeInterface(namespace: string): string;
  /** Of the host's end of the endpoint with this id; '' where it has none. */
  hostLink(endpointId: string): string;
  join(network: Network, endpoint: Endpoint, spec: EndpointSpec): void;
  leave(endpoint: Endpoint): void;
  /** As `leave`, for the last endpoint of a sandbox whose namespace is about to end: the kernel may take the time it wants. */
  retire(endpoint: Endpoint): void;
  /** Ends what `retire` left, of one sandbox or of all. */
  settle(sandboxId?: string): void;
  /** Gives the namespace a default route by the first of its endpoints that can, where it lost its own. */
  restoreDefaultRoute(namespace: string, endpoints: readonly Endpoint[]): void;
  /** Host address that ports are published on where the request names none; '' is all of them. */
  hostBinding(network: Network): string;
}
