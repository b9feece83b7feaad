import { KeyedMutex } from '#lib/async.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { hex, type Random } from '#lib/random.ts';
import type { Records } from '#core/store/records.types.ts';
import type { Kernel } from '#sys/types.ts';
import { EndpointLinks, macOf } from './bridge/endpoints.ts';
import type { HostSide } from './bridge/host.ts';
import { acceptForwarding } from './foreign.ts';
import { Addresses, block } from './ipam.ts';
import { checkLinkName, type LinkNames } from './links.ts';
import { SandboxNames } from './names/server.ts';
import type { PublishedPorts } from './ports/published.ts';
import { addElements, bridgeElements, deleteElements, wholeTable, type BridgeRule } from './rules.ts';
import { bridgeSettings, checkSpec, chooseIpam, predefined } from './spec.ts';
import type { Endpoint, EndpointSpec, Network, Networks, NetworkSpec, PortRequest, PublishedPort } from './types.ts';

export interface EndpointRecord extends Endpoint {
  namespace: string;
}

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
  predefined: boolean;
  host: HostSide;
  networks: Records<Network>;
  endpoints: Records<EndpointRecord>;
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

export class BridgeNetworks implements Networks {
  readonly #parts: NetworkParts;
  readonly #links: EndpointLinks;
  readonly #addresses = new Addresses();
  readonly #servers = new Map<string, SandboxNames>();
  readonly #mutex = new KeyedMutex();

  constructor(parts: NetworkParts) {
    this.#parts = parts;
    this.#links = new EndpointLinks(parts.host, parts.clock);
  }

  /** Completes the kernel to the records: bridges, rules, sockets; drops links that no record names. */
  async recover(): Promise<void> {
    const { host, networks, endpoints, published, kernel, names, log } = this.#parts;
    host.enableForwarding();
    this.#dropStrayLinks();
    for (const name of this.#parts.predefined ? predefined : []) if (!this.#byName(name)) await networks.put(this.#raise((skip) => this.#predefined(name, skip)));
    for (const network of networks.list()) if (network.bridge) this.#ensureBridge(network, network.bridge);
    attempt(() => acceptForwarding(kernel.nft, names.defaultBridge), (error) => log.warn('the rules of another firewall cannot be read; it may keep containers from the network', { error }));
    for (const endpoint of endpoints.list()) this.#addresses.hold(endpoint.networkId, endpoint.address);
    this.#links.rejoin(endpoints.list(), (e) => networks.get(e.networkId), (n) => bridgeSettings(n, host.uplinkMtu()), (endpoint, error) => log.warn('a sandbox cannot be joined to its network again', { sandbox: endpoint.sandboxId, error }));
    const { ports, itself } = published.rules();
    kernel.nft.run(wholeTable(names.table, this.#bridgeRules(), ports) + addElements(names.table, itself));
    await published.recover((id, error) => log.warn('a published port was taken while the daemon was away', { sandbox: id, error }));
    for (const served of this.#parts.served.list()) {
      await this.#serveAgain(served).catch((error: unknown) => log.warn('the names of a sandbox cannot be served', { sandbox: served.id, error }));
    }
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
      const id = hex(this.#parts.random, 32);
      const network = this.#raise((skip) => this.#describe(id, spec, skip), (spec.ipam?.config ?? []).some((c) => c.subnet));
      try {
        this.#parts.kernel.nft.run(addElements(this.#parts.names.table, bridgeElements(this.#bridgeRule(network))));
        return await this.#parts.networks.put(network);
      } catch (error) {
        this.#parts.host.deleteLink(network.bridge ?? '');
        throw error;
      }
    });
  }

  remove(id: string): Promise<void> {
    return this.#mutex.run(setKey, async () => {
      const network = this.#known(id);
      if (network.predefined) throw new Fault('forbidden', `${network.name} is a pre-defined network and cannot be removed`);
      if (this.endpoints({ network: id }).length > 0 || this.#addresses.count(id) > 0) throw new Fault('forbidden', `error while removing network: network ${network.name} id ${id} has active endpoints`);
      const rule = this.#bridgeRule(network);
      this.#parts.kernel.nft.run(deleteElements(this.#parts.names.table, bridgeElements(rule)));
      this.#parts.host.deleteLink(rule.bridge);
      this.#addresses.forget(id);
      await this.#parts.networks.delete(id);
    });
  }

  attach(networkId: string, spec: EndpointSpec): Promise<Endpoint> {
    return this.#mutex.run(spec.sandboxId, async () => {
      const network = this.#known(networkId);
      if (!network.bridge) throw new Fault('invalid', `network ${network.name} has no endpoints: its containers use the namespace as it is`);
      if (this.endpoints({ network: networkId, sandbox: spec.sandboxId }).length > 0) {
        throw new Fault('forbidden', `endpoint with name ${spec.aliases?.[0] ?? spec.sandboxId.slice(0, 12)} already exists in network ${network.name}`);
      }
      this.#links.settle(spec.sandboxId);
      const address = this.#addresses.take(network, spec.address);
      try {
        const endpoint = this.#endpoint(network, spec, address);
        this.#links.join(network, endpoint, spec, bridgeSettings(network, this.#parts.host.uplinkMtu()));
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
        if (left.length > 0) this.#links.leave(endpoint);
        else this.#links.retire(endpoint);
        await this.#parts.endpoints.delete(endpoint.id);
        this.#addresses.release(networkId, endpoint.address);
        this.#links.restoreDefaultRoute(endpoint.namespace, left);
        await this.#parts.published.move(sandboxId, endpoint.address, left.find((e) => e.gateway !== undefined)?.address);
      }
      if (this.endpoints({ sandbox: sandboxId }).length > 0) return;
      await this.#parts.published.unpublish(sandboxId);
      this.#servers.get(sandboxId)?.close();
      this.#servers.delete(sandboxId);
      await this.#parts.served.delete(sandboxId);
    });
  }

  endpoints(filter: { network?: string; sandbox?: string }): readonly EndpointRecord[] {
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
      const { hostBinding } = bridgeSettings(this.#known(endpoint.networkId), 0);
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
    this.#links.settle();
    this.#parts.published.close();
  }

  #nameServer(record: NameRecord): SandboxNames {
    const scope = {
      upstreams: record.upstreams,
      // on the default bridge containers have no names (docker.md §6.6)
      networks: () => this.endpoints({ sandbox: record.id }).map((e) => this.#known(e.networkId)).filter((n) => n.name !== 'bridge'),
      endpoints: (networkId: string) => this.endpoints({ network: networkId }),
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
      this.#links.leave(endpoint);
      throw error;
    }
  }

  #endpoint(network: Network, spec: EndpointSpec, address: string): Endpoint {
    const id = hex(this.#parts.random, 32);
    const [config] = network.ipam.config;
    return {
      id,
      networkId: network.id,
      sandboxId: spec.sandboxId,
      interfaceName: spec.interfaceName ?? this.#links.freeInterface(spec.namespace),
      hostLink: this.#parts.names.hostEnd(id),
      address,
      prefixLength: block(config?.subnet ?? '0.0.0.0/0').prefix,
      gateway: network.internal ? undefined : config?.gateway,
      mac: spec.mac || macOf(address),
      aliases: spec.aliases ?? [],
    };
  }

  #describe(id: string, spec: NetworkSpec, skip: number): Network {
    const options = spec.options ?? {};
    const bridge = options['com.docker.network.bridge.name'] ?? this.#parts.names.bridge(id);
    checkLinkName(bridge, 'com.docker.network.bridge.name');
    const network: Network = {
      id,
      name: spec.name,
      driver: 'bridge',
      predefined: false,
      internal: spec.internal ?? false,
      attachable: spec.attachable ?? false,
      enableIPv6: false,
      createdAt: this.#parts.clock.now(),
      ipam: { driver: 'default', config: [chooseIpam(spec, this.list(), this.#parts.host.taken(), skip)], options: spec.ipam?.options ?? {} },
      options,
      labels: spec.labels ?? {},
      bridge,
    };
    bridgeSettings(network, 0);
    return network;
  }

  #predefined(name: (typeof predefined)[number], skip: number): Network {
    const base = { id: hex(this.#parts.random, 32), name, predefined: true, internal: false, attachable: false, enableIPv6: false, createdAt: this.#parts.clock.now(), labels: {} };
    if (name !== 'bridge') return { ...base, driver: name, ipam: { driver: 'default', config: [], options: {} }, options: {} };
    const bridge = this.#parts.names.defaultBridge;
    const option = (key: string, value: string): [string, string] => [`com.docker.network.${key}`, value];
    const options = Object.fromEntries([
      option('bridge.default_bridge', 'true'),
      option('bridge.enable_icc', 'true'),
      option('bridge.enable_ip_masquerade', 'true'),
      option('bridge.host_binding_ipv4', '0.0.0.0'),
      option('bridge.name', bridge),
      option('driver.mtu', String(this.#parts.host.uplinkMtu())),
    ]);
    const config = chooseIpam({ name }, this.list(), this.#parts.host.taken(), skip);
    return { ...base, driver: 'bridge', ipam: { driver: 'default', config: [config], options: {} }, options, bridge };
  }

  /** A new network and its bridge; with another subnet, unless it was asked for, where somebody took it at the same moment. */
  #raise(make: (skip: number) => Network, asked = false): Network {
    const { host, random } = this.#parts;
    for (let tries = 0, network = make(0); ; tries++, network = make(random.int(subnetChoices))) {
      const { bridge } = network;
      if (bridge === undefined) return network;
      if (host.has(bridge)) throw new Fault('conflict', `network ${network.name}: this host has a link ${bridge} already: choose another com.docker.network.bridge.name`);
      this.#ensureBridge(network, bridge);
      const subnet = network.ipam.config[0]?.subnet ?? '';
      if (asked || tries === subnetTries || !host.contested(bridge, subnet)) return network;
      host.deleteLink(bridge);
    }
  }

  #ensureBridge(network: Network, bridge: string): void {
    const [config] = network.ipam.config;
    const gateway = config?.gateway && `${config.gateway}/${block(config.subnet).prefix}`;
    this.#parts.host.ensureBridge(bridge, gateway, this.#mtu(network));
  }

  #mtu(network: Network): number {
    return bridgeSettings(network, this.#parts.host.uplinkMtu()).mtu;
  }

  #bridgeRules(): BridgeRule[] {
    return this.list().filter((n) => n.bridge).map((n) => this.#bridgeRule(n));
  }

  #bridgeRule(network: Network): BridgeRule {
    const { masquerade, connected, pointToPoint, open } = bridgeSettings(network, 0);
    const subnet = network.ipam.config[0]?.subnet ?? '';
    return { bridge: network.bridge ?? '', subnet, internal: network.internal, masquerade, connected, shared: !pointToPoint, open };
  }

  /** Host ends of endpoints that are gone, as a crash between link and record leaves them. */
  #dropStrayLinks(): void {
    const { host, names, endpoints, networks } = this.#parts;
    const known = new Set([...endpoints.list().map((e) => e.hostLink), ...networks.list().flatMap((n) => n.bridge ?? [])]);
    host.with((netlink) => {
      for (const { name } of netlink.links()) if ((names.isHostEnd(name) || names.isBridge(name)) && !known.has(name)) netlink.deleteLink(name);
    });
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
