import { KeyedMutex } from '#lib/async.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { hex, type Random } from '#lib/random.ts';
import type { Records } from '#core/store/records.types.ts';
import type { Kernel } from '#sys/types.ts';
import { macOf, type HostSide } from './host.ts';
import type { EndpointDriver, NetworkDriver, PlacedEndpoint } from './driver.ts';
import { acceptForwarding } from './foreign.ts';
import { Addresses, block } from './ipam.ts';
import type { LinkNames } from './links.ts';
import { SandboxNames } from './names/server.ts';
import type { PublishedPorts } from './ports/published.ts';
import { addElements, deleteElements, wholeTable } from './rules.ts';
import { checkSpec } from './spec.ts';
import type { DriverFacts, Endpoint, EndpointSpec, Network, Networks, NetworkSpec, PortRequest, PublishedPort } from './types.ts';

/** A sandbox whose names are served. */
export interface NameRecord {
  id: string;
  namespace: string;
  upstreams: readonly string[];
}

export interface NetworkParts {
  kernel: Kernel;
  clock: Clock;
  random: Random;
  log: Logger;
  names: LinkNames;
  /** Whether there are the drivers' own networks. */
  predefined: boolean;
  drivers: readonly NetworkDriver[];
  host: HostSide;
  networks: Records<Network>;
  endpoints: Records<PlacedEndpoint>;
  served: Records<NameRecord>;
  published: PublishedPorts;
}

function attempt(action: () => void, onFailure: (error: unknown) => void): void {
  try {
    action();
  } catch (error) {
    onFailure(error);
  }
}

/** How many free subnets are drawn from, and how often, before one is shared with another instance. */
const subnetChoices = 8;
const subnetTries = 8;

/** Serialises what changes the networks' set and a sandbox's endpoints. */
const setKey = 'networks';

export class DrivenNetworks implements Networks {
  readonly #parts: NetworkParts;
  readonly #addresses = new Addresses();
  readonly #servers = new Map<string, SandboxNames>();
  readonly #mutex = new KeyedMutex();

  constructor(parts: NetworkParts) {
    this.#parts = parts;
  }

  /** Completes the kernel to the records: bridges, rules, sockets; drops links that no record names. */
  async recover(): Promise<void> {
    const { drivers, host, networks, endpoints, published, kernel, names, log } = this.#parts;
    host.enableForwarding();
    for (const driver of this.#parts.predefined ? drivers.filter((d) => d.predefined) : []) if (!this.#byName(driver.name)) await networks.put(this.#raise(driver, { name: driver.name, driver: driver.name }, true));
    for (const network of networks.list()) this.#driver(network).raise(network);
    attempt(() => acceptForwarding(kernel.nft, names.defaultBridge), (error) => log.warn('the rules of another firewall cannot be read; it may keep containers from the network', { error }));
    for (const endpoint of endpoints.list()) this.#addresses.hold(endpoint.networkId, endpoint.address);
    host.dropStrays((name) => names.isHostEnd(name) || names.isBridge(name), new Set([...endpoints.list().map((e) => e.hostLink), ...networks.list().map((n) => n.bridge ?? '')]));
    for (const driver of drivers) {
      const own = networks.list().filter((n) => n.driver === driver.name);
      const placed = endpoints.list().filter((e) => own.some((n) => n.id === e.networkId));
      driver.endpoints?.recover(own, placed, (endpoint, error) => log.warn('a sandbox cannot be joined to its network again', { sandbox: endpoint.sandboxId, error }));
    }
    const { ports, itself } = published.rules();
    kernel.nft.run(wholeTable(names.table, networks.list().flatMap((n) => this.#driver(n).elements(n)), ports) + addElements(names.table, itself));
    await published.recover((id, error) => log.warn('a published port was taken while the daemon was away', { sandbox: id, error }));
    for (const served of this.#parts.served.list()) {
      await this.#serveAgain(served).catch((error: unknown) => log.warn('the names of a sandbox cannot be served', { sandbox: served.id, error }));
    }
  }

  drivers(): readonly DriverFacts[] {
    return this.#parts.drivers.map(({ name, endpoints }) => ({ name, joins: endpoints !== undefined }));
  }

  list(): readonly Network[] {
    return this.#parts.networks.list();
  }

  get(reference: string): Network | undefined {
    const all = this.list();
    const exact = all.find((n) => n.id === reference) ?? this.#byName(reference);
    if (exact || reference === '') return exact;
    const matching = all.filter((n) => n.id.startsWith(reference));
    return matching.length === 1 ? matching[0] : undefined;
  }

  create(spec: NetworkSpec): Promise<Network> {
    return this.#mutex.run(setKey, async () => {
      checkSpec(spec, this.list());
      const driver = this.#driver(spec);
      const network = this.#raise(driver, spec, false);
      try {
        this.#parts.kernel.nft.run(addElements(this.#parts.names.table, driver.elements(network)));
        return await this.#parts.networks.put(network);
      } catch (error) {
        driver.lower(network);
        throw error;
      }
    });
  }

  remove(id: string): Promise<void> {
    return this.#mutex.run(setKey, async () => {
      const network = this.#known(id);
      if (network.predefined) throw new Fault('forbidden', `${network.name} is a pre-defined network and cannot be removed`);
      if (this.endpoints({ network: id }).length > 0 || this.#addresses.count(id) > 0) throw new Fault('forbidden', `error while removing network: network ${network.name} id ${id} has active endpoints`);
      const driver = this.#driver(network);
      this.#parts.kernel.nft.run(deleteElements(this.#parts.names.table, driver.elements(network)));
      driver.lower(network);
      this.#addresses.forget(id);
      await this.#parts.networks.delete(id);
    });
  }

  attach(networkId: string, spec: EndpointSpec): Promise<Endpoint> {
    return this.#mutex.run(spec.sandboxId, async () => {
      const network = this.#known(networkId);
      const driver = this.#joins(network);
      if (this.endpoints({ network: networkId, sandbox: spec.sandboxId }).length > 0) {
        throw new Fault('forbidden', `endpoint with name ${spec.aliases?.[0] ?? spec.sandboxId.slice(0, 12)} already exists in network ${network.name}`);
      }
      driver.settle(spec.sandboxId);
      const address = this.#addresses.take(network, spec.address);
      try {
        const endpoint = this.#endpoint(network, spec, address);
        driver.join(network, endpoint, spec);
        await this.#keep(endpoint, spec.namespace);
        return endpoint;
      } catch (error) {
        this.#addresses.release(networkId, address);
        throw error;
      }
    });
  }

  detach(networkId: string, sandboxId: string): Promise<void> {
    return this.#mutex.run(sandboxId, async () => {
      for (const endpoint of this.endpoints({ network: networkId, sandbox: sandboxId })) {
        const left = this.endpoints({ sandbox: sandboxId }).filter((e) => e !== endpoint);
        const driver = this.#joins(this.#known(networkId));
        if (left.length > 0) driver.leave(endpoint);
        else driver.retire(endpoint);
        await this.#parts.endpoints.delete(endpoint.id);
        this.#addresses.release(networkId, endpoint.address);
        driver.restoreDefaultRoute(endpoint.namespace, left);
        await this.#parts.published.move(sandboxId, endpoint.address, left.find((e) => e.gateway !== undefined)?.address);
      }
      if (this.endpoints({ sandbox: sandboxId }).length > 0) return;
      await this.#parts.published.unpublish(sandboxId);
      this.#servers.get(sandboxId)?.close();
      this.#servers.delete(sandboxId);
      await this.#parts.served.delete(sandboxId);
    });
  }

  endpoints(filter: { network?: string; sandbox?: string }): readonly PlacedEndpoint[] {
    return this.#parts.endpoints.list().filter((e) => (filter.network === undefined || e.networkId === filter.network) && (filter.sandbox === undefined || e.sandboxId === filter.sandbox));
  }

  setAliases(networkId: string, sandboxId: string, aliases: readonly string[]): Promise<void> {
    return this.#mutex.run(sandboxId, async () => {
      for (const { id } of this.endpoints({ network: networkId, sandbox: sandboxId })) await this.#parts.endpoints.update(id, (record) => ({ ...record, aliases }));
    });
  }

  publish(sandboxId: string, ports: readonly PortRequest[]): Promise<PublishedPort[]> {
    return this.#mutex.run(sandboxId, async () => {
      const endpoints = this.endpoints({ sandbox: sandboxId });
      if (endpoints.length === 0) throw new Fault('precondition', `sandbox ${sandboxId.slice(0, 12)} is on no network: attach it before its ports are published`);
      // as Docker has it: on internal networks alone, nothing is published, and that is no error
      const endpoint = endpoints.find((e) => e.gateway !== undefined);
      if (!endpoint) return [];
      const network = this.#known(endpoint.networkId);
      const hostBinding = this.#joins(network).hostBinding(network);
      return this.#parts.published.publish(sandboxId, endpoint.address, ports.map((p) => ({ ...p, hostIp: p.hostIp || hostBinding })));
    });
  }

  unpublish(sandboxId: string): Promise<void> {
    return this.#mutex.run(sandboxId, () => this.#parts.published.unpublish(sandboxId));
  }

  published(sandboxId: string): readonly PublishedPort[] {
    return this.#parts.published.of(sandboxId);
  }

  serveNames(sandboxId: string, options: { namespace: string; upstreams: readonly string[] }): Promise<void> {
    return this.#mutex.run(sandboxId, async () => {
      this.#servers.get(sandboxId)?.close();
      const record = { id: sandboxId, namespace: options.namespace, upstreams: options.upstreams };
      this.#servers.set(sandboxId, this.#nameServer(record));
      await this.#parts.served.put(record);
    });
  }

  async close(): Promise<void> {
    for (const server of this.#servers.values()) server.close();
    this.#servers.clear();
    for (const driver of this.#parts.drivers) driver.endpoints?.settle();
    this.#parts.published.close();
  }

  #nameServer(record: NameRecord): SandboxNames {
    const scope = {
      upstreams: record.upstreams,
      // on the default bridge containers have no names (docker.md §6.6)
      networks: () => this.endpoints({ sandbox: record.id }).map((e) => this.#known(e.networkId)).filter((n) => n.name !== 'bridge'),
      endpoints: (networkId: string) => this.endpoints({ network: networkId }),
      links: (networkId: string) => this.endpoints({ network: networkId, sandbox: record.id })[0]?.links ?? {},
    };
    return new SandboxNames(this.#parts.kernel, record.namespace, scope, this.#parts.clock);
  }

  async #serveAgain(record: NameRecord): Promise<void> {
    if (!this.#parts.kernel.namespaces.isPinned(record.namespace)) {
      await this.#parts.served.delete(record.id);
      return;
    }
    this.#servers.set(record.id, this.#nameServer(record));
  }

  async #keep(endpoint: Endpoint, namespace: string): Promise<void> {
    try {
      await this.#parts.endpoints.put({ ...endpoint, namespace });
    } catch (error) {
      this.#joins(this.#known(endpoint.networkId)).leave(endpoint);
      throw error;
    }
  }

  #endpoint(network: Network, spec: EndpointSpec, address: string): Endpoint {
    const driver = this.#joins(network);
    // of an id, a link's name holds the first digits only
    const taken = new Set(this.#parts.endpoints.list().flatMap((e) => e.hostLink || []));
    let id = hex(this.#parts.random, 32);
    while (taken.has(driver.hostLink(id))) id = hex(this.#parts.random, 32);
    const [config] = network.ipam.config;
    return {
      id,
      networkId: network.id,
      sandboxId: spec.sandboxId,
      interfaceName: spec.interfaceName ?? driver.freeInterface(spec.namespace),
      hostLink: driver.hostLink(id),
      address,
      prefixLength: block(config?.subnet ?? '0.0.0.0/0').prefix,
      gateway: network.internal ? undefined : config?.gateway,
      mac: spec.mac || macOf(address),
      aliases: spec.aliases ?? [],
      ...(spec.links ? { links: spec.links } : {}),
    };
  }

  /** A new network and its host's side; with another subnet, unless it was asked for, where somebody took it at the same moment. */
  #raise(driver: NetworkDriver, spec: NetworkSpec, predefined: boolean): Network {
    const { random, clock } = this.#parts;
    const asked = (spec.ipam?.config ?? []).some((c) => c.subnet);
    const id = hex(random, 32);
    for (let tries = 0, skip = 0; ; tries++, skip = random.int(subnetChoices)) {
      const network = driver.describe({ id, spec, predefined, existing: this.list(), createdAt: clock.now() }, skip);
      if (driver.present(network)) {
        if (!predefined) throw new Fault('conflict', `network ${network.name}: this host has a link ${network.bridge} already: choose another com.docker.network.bridge.name`);
        // of an earlier time, that no record names
        driver.lower(network);
      }
      driver.raise(network);
      if (asked || tries === subnetTries || !driver.contested(network)) return network;
      driver.lower(network);
    }
  }

  #driver({ driver }: { driver: string }): NetworkDriver {
    const found = this.#parts.drivers.find((d) => d.name === driver);
    if (!found) throw new Fault('not-found', `could not find network driver ${driver}: there are ${this.#parts.drivers.map((d) => d.name).join(', ')}`);
    return found;
  }

  /** What joins sandboxes to a network. */
  #joins(network: Network): EndpointDriver {
    const { endpoints } = this.#driver(network);
    if (!endpoints) throw new Fault('invalid', `network ${network.name} has no endpoints: its containers use the namespace as it is`);
    return endpoints;
  }

  #byName(name: string): Network | undefined {
    return this.list().find((n) => n.name === name);
  }

  #known(id: string): Network {
    const network = this.#parts.networks.get(id);
    if (!network) throw new Fault('not-found', `network ${id} not found`);
    return network;
  }
}
