import { existsSync } from 'node:fs';
import type { Clock, Timer } from '#lib/clock.ts';
import { isFault } from '#lib/errors.ts';
import type { Netlink } from '#sys/netlink/types.ts';
import type { EndpointDriver, PlacedEndpoint } from '../driver.ts';
import type { LinkNames } from '../links.ts';
import type { Endpoint, EndpointSpec, Network } from '../types.ts';
import type { HostSide } from '../host.ts';
import { bridgeSettings } from './settings.ts';

const defaultDestination = '0.0.0.0/0';
/** Milliseconds that a namespace has to end, with its links, before they are deleted. */
const retiredMs = 2_000;

/** What the kernel has of an endpoint: a veth pair from the network's bridge into the sandbox's namespace. */
export class BridgeEndpoints implements EndpointDriver {
  readonly #host: HostSide;
  readonly #names: LinkNames;
  readonly #clock: Clock;
  /** Links out of service that wait for their namespace to end, by sandbox. */
  readonly #retired = new Map<string, { hostLink: string; timer: Timer }>();

  constructor(host: HostSide, names: LinkNames, clock: Clock) {
    this.#host = host;
    this.#names = names;
    this.#clock = clock;
  }

  freeInterface(namespace: string): string {
    const names = new Set(this.#host.with((netlink) => netlink.links().map((l) => l.name), namespace));
    for (let i = 0; ; i++) if (!names.has(`eth${i}`)) return `eth${i}`;
  }

  hostLink(endpointId: string): string {
    return this.#names.hostEnd(endpointId);
  }

  hostBinding(network: Network): string {
    return bridgeSettings(network, 0).hostBinding;
  }

  join(network: Network, endpoint: Endpoint, spec: EndpointSpec): void {
    const options = bridgeSettings(network, this.#host.uplinkMtu());
    const { hostLink, interfaceName, mac } = endpoint;
    this.#host.with((netlink) => netlink.createVeth(hostLink, { name: interfaceName, namespace: spec.namespace, mac }, { mtu: options.mtu }));
    try {
      this.#host.with((netlink) => netlink.setLink(hostLink, { master: network.bridge ?? null, hairpin: true, up: true }));
      this.#host.disableIpv6(interfaceName, spec.namespace);
      this.#host.with((netlink) => {
        const prefix = options.pointToPoint ? 32 : endpoint.prefixLength;
        netlink.addAddress(interfaceName, `${endpoint.address}/${prefix}`);
        netlink.setLink(interfaceName, { up: true });
        this.#route(netlink, network, endpoint, options.pointToPoint, spec.defaultRoute);
      }, spec.namespace);
    } catch (error) {
      this.leave(endpoint);
      throw error;
    }
  }

  recover(networks: readonly Network[], endpoints: readonly PlacedEndpoint[], onFailure: (endpoint: PlacedEndpoint, error: unknown) => void): void {
    // namespaces that were made anew, as after a restart of the host, have lost their links
    const present = new Set(this.#host.with((netlink) => netlink.links().map((l) => l.name)));
    for (const endpoint of endpoints) {
      const network = networks.find((n) => n.id === endpoint.networkId);
      if (present.has(endpoint.hostLink) || !network) continue;
      try {
        this.join(network, endpoint, endpoint);
      } catch (error) {
        onFailure(endpoint, error);
      }
    }
  }

  #route(netlink: Netlink, network: Network, endpoint: Endpoint, pointToPoint: boolean, wanted: boolean | undefined): void {
    const link = endpoint.interfaceName;
    const via = network.ipam.config[0]?.gateway;
    if (pointToPoint && via !== undefined) {
      netlink.addRoute({ destination: `${via}/32`, link });
      netlink.addRoute({ destination: network.ipam.config[0]?.subnet ?? '', via, link });
    }
    if (endpoint.gateway === undefined) return;
    const hasDefault = netlink.routes().some((r) => r.destination === defaultDestination);
    if (!(wanted ?? !hasDefault)) return;
    if (hasDefault) netlink.deleteRoute(defaultDestination);
    netlink.addRoute({ destination: defaultDestination, via: endpoint.gateway, link });
  }

  leave(endpoint: Endpoint): void {
    // the other end, and what hangs on it, goes with it
    this.#host.deleteLink(endpoint.hostLink);
  }

  /**
   * Takes the last endpoint of a sandbox off its network. Deleting a link holds this thread for tens of milliseconds; the
   * end of its namespace, which mostly follows, does it on the kernel's own time. What is left after that is deleted.
   */
  retire(endpoint: Endpoint): void {
    const { sandboxId, hostLink } = endpoint;
    try {
      this.#host.with((netlink) => netlink.setLink(hostLink, { master: null }));
    } catch (error) {
      if (isFault(error, 'not-found')) return;
      throw error;
    }
    this.settle(sandboxId);
    const timer = this.#clock.after(retiredMs, () => {
      try {
        this.settle(sandboxId);
      } catch {
        // a link that cannot be deleted now is in nobody's way, and goes when the daemon starts again
      }
    }).unref();
    this.#retired.set(sandboxId, { hostLink, timer });
  }

  settle(sandboxId?: string): void {
    for (const id of sandboxId === undefined ? [...this.#retired.keys()] : [sandboxId]) {
      const retired = this.#retired.get(id);
      this.#retired.delete(id);
      retired?.timer.cancel();
      if (retired) this.#host.deleteLink(retired.hostLink);
    }
  }

  restoreDefaultRoute(namespace: string, endpoints: readonly Endpoint[]): void {
    const next = endpoints.find((e) => e.gateway !== undefined);
    if (!next || !existsSync(namespace)) return;
    this.#host.with((netlink) => {
      if (netlink.routes().some((r) => r.destination === defaultDestination)) return;
      netlink.addRoute({ destination: defaultDestination, via: next.gateway, link: next.interfaceName });
    }, namespace);
  }
}
