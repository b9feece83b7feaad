import type { Endpoint, EndpointSpec, Network } from '../types.ts';
import type { HostSide } from './host.ts';

/** What the kernel has of an endpoint: a veth pair from the network's bridge into the sandbox's namespace. */
export class EndpointLinks {
  readonly #host: HostSide;

  constructor(host: HostSide) {
    this.#host = host;
  }

  /** The first of eth0, eth1, … that is free inside. */
  freeInterface(namespace: string): string {
    const names = new Set(this.#host.with((netlink) => netlink.links().map((l) => l.name), namespace));
    for (let i = 0; ; i++) if (!names.has(`eth${i}`)) return `eth${i}`;
  }

  join(network: Network, endpoint: Endpoint, spec: EndpointSpec, mtu: number): void {
    const { hostLink, interfaceName, mac } = endpoint;
    this.#host.with((netlink) => {
      netlink.createVeth(hostLink, { name: interfaceName, namespace: spec.namespace, mac }, { mtu });
      netlink.setLink(hostLink, { master: network.bridge ?? null, hairpin: true, up: true });
    });
    this.#host.with((netlink) => {
      netlink.addAddress(interfaceName, `${endpoint.address}/${endpoint.prefixLength}`);
      netlink.setLink(interfaceName, { up: true });
      if (network.internal || endpoint.gateway === undefined) return;
      const hasDefault = netlink.routes().some((r) => r.destination === '0.0.0.0/0');
      if (spec.defaultRoute ?? !hasDefault) netlink.addRoute({ destination: '0.0.0.0/0', via: endpoint.gateway, link: interfaceName });
    }, spec.namespace);
  }

  leave(endpoint: Endpoint): void {
    // the other end, and what hangs on it, goes with it
    this.#host.deleteLink(endpoint.hostLink);
  }
}

/** Docker's own: 02:42 and the address. Locally administered, and unique where addresses are. */
export function macOf(address: string): string {
  return ['02', '42', ...address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))].join(':');
}
