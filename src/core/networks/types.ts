/**
 * Networks: bridges with address management, endpoints in sandboxes, published ports, names.
 *
 * A *network* has a driver (`bridge`, `host`, `none`) and subnets. An *endpoint* joins one sandbox's network
 * namespace to one network: a veth pair, an address, routes. A *published port* leads from the host to an
 * endpoint. On networks other than the default one, containers find each other by name through a DNS server
 * at 127.0.0.11 inside their namespace. All of it outlives the daemon and is found again.
 * Endpoints of different networks do not reach each other, and others reach an endpoint on its published ports alone
 * (on all ports with the option `com.docker.network.bridge.gateway_mode_ipv4=nat-unprotected`). With the option
 * `gantry.network.point_to_point=true` neighbours reach each other through the host's routing, never over the bridge alone, so that
 * rules that lead a Service's address to a pod see the answers too, and the pod sees its client's own address.
 * Networks are IPv4; `enableIPv6` is refused. Connections to published TCP ports by IPv6 are passed on in user space.
 * Subnets are chosen so that they do not overlap what the host has. The MTU follows the host's uplink.
 */
export interface Networks {
  /** The kinds of networks that can be. */
  drivers(): readonly DriverFacts[];
  list(): readonly Network[];
  /** By id, name, or unique id prefix. */
  get(reference: string): Network | undefined;
  /** `already-exists`; `forbidden` for a predefined name or an overlap; `exhausted` where no subnet is left. */
  create(spec: NetworkSpec): Promise<Network>;
  /** `forbidden` while it has endpoints or is predefined. */
  remove(id: string): Promise<void>;
  /** Joins a sandbox's network namespace to a network. */
  attach(networkId: string, spec: EndpointSpec): Promise<Endpoint>;
  /** Leaves; absent is fine. Works when the namespace is already gone. */
  detach(networkId: string, sandboxId: string): Promise<void>;
  endpoints(filter: { network?: string; sandbox?: string }): readonly Endpoint[];
  /** Changes the names that resolve to an endpoint. */
  setAliases(networkId: string, sandboxId: string, aliases: readonly string[]): Promise<void>;
  /**
   * Publishes ports of a sandbox, all or none; they follow it when it leaves one of several networks. On internal networks
   * alone nothing is published (the result is empty), as Docker has it. Port taken: `conflict` with Docker's text
   * (`…Bind for 0.0.0.0:80 failed: port is already allocated`). Host port 0 takes a free one.
   */
  publish(sandboxId: string, ports: readonly PortRequest[]): Promise<PublishedPort[]>;
  unpublish(sandboxId: string): Promise<void>;
  published(sandboxId: string): readonly PublishedPort[];
  /** Opens the DNS server of a sandbox at 127.0.0.11 (user-defined networks). */
  serveNames(sandboxId: string, options: { namespace: string; upstreams: readonly string[] }): Promise<void>;
  close(): Promise<void>;
}

export interface DriverFacts {
  name: string;
  /** Whether sandboxes are joined to its networks; else there is one network, whose sandboxes use a namespace as it is. */
  joins: boolean;
}

export interface NetworkSpec {
  name: string;
  /** By its name in `drivers`. */
  driver: string;
  internal?: boolean;
  attachable?: boolean;
  enableIPv6?: boolean;
  ipam?: { driver?: string; config: readonly IpamConfig[]; options?: Record<string, string> };
  options?: Record<string, string>;
  labels?: Record<string, string>;
}

export interface IpamConfig {
  subnet: string;
  ipRange?: string;
  gateway?: string;
  auxiliaryAddresses?: Record<string, string>;
}

export interface Network {
  id: string;
  name: string;
  /** By its name in `drivers`. */
  driver: string;
  predefined: boolean;
  internal: boolean;
  attachable: boolean;
  enableIPv6: boolean;
  createdAt: number;
  ipam: { driver: string; config: readonly IpamConfig[]; options: Readonly<Record<string, string>> };
  options: Readonly<Record<string, string>>;
  labels: Readonly<Record<string, string>>;
  /** The host's link, for a bridge. */
  bridge?: string;
}

export interface EndpointSpec {
  sandboxId: string;
  /** Path of the network namespace. */
  namespace: string;
  /** Name inside; default the next free `ethN`. */
  interfaceName?: string;
  address?: string;
  mac?: string;
  /** Names that resolve to it on this network. */
  aliases?: readonly string[];
  /** Names that it alone has for others on this network: own name -> one of theirs. */
  links?: Readonly<Record<string, string>>;
  /** Whether its gateway becomes the default route; default: if there is none. */
  defaultRoute?: boolean;
}

export interface Endpoint {
  id: string;
  networkId: string;
  sandboxId: string;
  interfaceName: string;
  hostLink: string;
  address: string;
  prefixLength: number;
  gateway?: string;
  mac: string;
  aliases: readonly string[];
  links?: Readonly<Record<string, string>>;
}

export interface PortRequest {
  containerPort: number;
  protocol: 'tcp' | 'udp';
  /** Empty: all IPv4 (and IPv6 loopback) addresses. */
  hostIp?: string;
  /** 0 or absent: any free one; a range takes the first free. */
  hostPort?: number;
  hostPortEnd?: number;
}

export interface PublishedPort {
  containerPort: number;
  protocol: 'tcp' | 'udp';
  hostIp: string;
  hostPort: number;
}
