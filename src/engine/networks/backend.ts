/** The networks' side of Docker's door. */
import type { Filters } from '#api/docker/common.ts';
import type * as api from '#api/docker/networks.ts';
import type { EndpointSettings } from '#api/docker/networks.ts';
import { clusterLabel } from '#core/networks/spec.ts';
import type { DriverFacts, Network, NetworkSpec } from '#core/networks/types.ts';
import { isoTime } from '#lib/clock.ts';
import { Fault, isFault } from '#lib/errors.ts';
import type { ContainerContext } from '../containers/context.ts';
import { directoryOf } from '../containers/context.ts';
import { checkEndpoint } from '../containers/endpoint-settings.ts';
import { noteJoined, noteLeft } from '../containers/etc-files.ts';
import { etcInputOf, joinNetwork, joins, servesNames, serveNames } from '../containers/networking.ts';
import type { ContainerRecord } from '../containers/record.ts';
import { isAlive, otherOf } from '../containers/record.ts';
import { anyOf, booleanFilter, labelsMatch, nameMatches, untilFilter } from '../filters.ts';

export class NetworksBackend {
  readonly #context: ContainerContext;

  constructor(context: ContainerContext) {
    this.#context = context;
  }

  async list(filters: Filters): Promise<api.NetworkInspect[]> {
    const dangling = booleanFilter(filters, 'dangling');
    const found = this.#context.networks.list().filter(
      (network) =>
        labelsMatch(network.labels, filters) &&
        anyOf(filters, 'name', (name) => nameMatches(network.name, name)) &&
        anyOf(filters, 'id', (id) => network.id.startsWith(id)) &&
        anyOf(filters, 'driver', (driver) => shownDriver(network.driver) === driver) &&
        anyOf(filters, 'scope', (scope) => scope === 'local') &&
        anyOf(filters, 'type', (type) => typeMatches(network, type)) &&
        (dangling === undefined || dangling === (!network.predefined && !this.#isUsed(network))),
    );
    return Promise.resolve(found.map((network) => this.#show(network)));
  }

  async inspect(reference: string, options: { scope?: string } = {}): Promise<api.NetworkInspect> {
    const network = this.#must(reference);
    if (options.scope && options.scope !== 'local') throw new Fault('not-found', `network ${reference} not found`);
    return Promise.resolve(this.#show(network));
  }

  #must(reference: string): Network {
    const network = this.#context.networks.get(reference);
    if (!network) throw new Fault('not-found', `network ${reference} not found`);
    return network;
  }

  /** By a process: dockerd too finds those of stopped containers unused. */
  #isUsed(network: Network): boolean {
    return this.#context.networks.endpoints({ network: network.id }).length > 0;
  }

  async create(request: api.NetworkCreateRequest): Promise<api.NetworkCreateResponse> {
    const network = await this.#context.networks.create(networkSpec(request, this.#context.networks.drivers()));
    this.#context.events.emit('network', 'create', network.id, { name: network.name, type: network.driver });
    return { Id: network.id, Warning: '' };
  }

  async remove(reference: string): Promise<void> {
    const network = this.#must(reference);
    if (isOfCluster(network)) throw new Fault('forbidden', `network ${network.name} is the cluster's: it goes with ./gantry down --purge`);
    await this.#context.networks.remove(network.id);
    this.#context.events.emit('network', 'destroy', network.id, { name: network.name, type: network.driver });
  }

  async connect(reference: string, request: api.NetworkConnectRequest): Promise<void> {
    const { set } = this.#context;
    const network = this.#must(reference);
    if (!joins(this.#context.networks, network)) throw new Fault('forbidden', `container cannot be connected to ${network.name} network`);
    const settings = request.EndpointConfig ?? {};
    checkEndpoint(network.name, settings);
    await set.lock(set.must(request.Container ?? '').id, async (record) => {
      checkConnectable(record);
      if (this.#keyOf(record, network) !== undefined) throw new Fault('forbidden', `endpoint with name ${record.name} already exists in network ${network.name}`);
      if (isAlive(record)) await this.#joinRunning(record, network, settings);
      await set.update(record.id, { endpoints: { ...record.endpoints, [network.name]: settings } });
    });
  }

  async #joinRunning(record: ContainerRecord, network: Network, settings: EndpointSettings): Promise<void> {
    const { networks, sandboxes } = this.#context;
    const netPath = sandboxes.get(record.id)?.netPath;
    if (netPath === undefined) return;
    const hadNames = Object.keys(record.endpoints).some((key) => servesNames(networks, networks.get(key) ?? network));
    const priorities = Object.values(record.endpoints).map((other) => other.GwPriority ?? 0);
    const first = (settings.GwPriority ?? 0) > Math.max(...priorities);
    const endpoint = await joinNetwork(this.#context, record, network, settings, netPath, first || undefined);
    const named = servesNames(networks, network);
    if (named && !hadNames) await serveNames(this.#context, record, netPath);
    await noteJoined(directoryOf(this.#context, record.id), await etcInputOf(this.#context, record, { served: hadNames, hostNetwork: false }), endpoint, named);
  }

  #keyOf(record: ContainerRecord, network: Network): string | undefined {
    return Object.keys(record.endpoints).find((key) => this.#context.networks.get(key)?.id === network.id);
  }

  async disconnect(reference: string, request: api.NetworkDisconnectRequest): Promise<void> {
    const { set, networks, events } = this.#context;
    const network = this.#must(reference);
    const container = set.find(request.Container ?? '');
    if (!container && request.Force) {
      const stray = networks.endpoints({ network: network.id }).find((e) => e.sandboxId.startsWith(request.Container ?? '-'));
      if (stray) await networks.detach(network.id, stray.sandboxId);
      return;
    }
    await set.lock(set.must(request.Container ?? '').id, async (record) => {
      const key = this.#keyOf(record, network);
      if (key === undefined) throw new Fault('forbidden', `container ${record.id} is not connected to network ${network.name}`);
      const [endpoint] = networks.endpoints({ network: network.id, sandbox: record.id });
      if (endpoint) {
        await networks.detach(network.id, record.id);
        await noteLeft(directoryOf(this.#context, record.id), record, endpoint);
        events.emit('network', 'disconnect', network.id, { container: record.id, name: network.name, type: network.driver });
      }
      const { [key]: _, ...endpoints } = record.endpoints;
      await set.update(record.id, { endpoints });
    });
  }

  async prune(filters: Filters): Promise<api.NetworksPruneResponse> {
    const until = untilFilter(filters, this.#context.clock.now());
    const deleted: string[] = [];
    for (const network of this.#context.networks.list()) {
      if (network.predefined || isOfCluster(network) || this.#isUsed(network) || !labelsMatch(network.labels, filters)) continue;
      if (until !== undefined && network.createdAt >= until) continue;
      try {
        await this.remove(network.id);
        deleted.push(network.name);
      } catch (error) {
        // joined meanwhile
        if (!isFault(error, 'forbidden', 'conflict', 'not-found')) throw error;
      }
    }
    this.#context.events.emit('network', 'prune', '', { reclaimed: '0' });
    return { NetworksDeleted: deleted.length > 0 ? deleted : null };
  }

  #show(network: Network): api.NetworkInspect {
    const endpoints = this.#context.networks.endpoints({ network: network.id });
    return {
      Name: network.name,
      Id: network.id,
      Created: isoTime(network.createdAt),
      Scope: 'local',
      Driver: shownDriver(network.driver),
      EnableIPv4: true,
      EnableIPv6: network.enableIPv6,
      IPAM: {
        Driver: network.ipam.driver,
        Options: Object.keys(network.ipam.options).length > 0 ? { ...network.ipam.options } : null,
        Config: network.ipam.config.map((c) => ({
          Subnet: c.subnet,
          ...(c.ipRange ? { IPRange: c.ipRange } : {}),
          ...(c.gateway ? { Gateway: c.gateway } : {}),
          ...(c.auxiliaryAddresses ? { AuxiliaryAddresses: c.auxiliaryAddresses } : {}),
        })),
      },
      Internal: network.internal,
      Attachable: network.attachable,
      Ingress: false,
      ConfigFrom: { Network: '' },
      ConfigOnly: false,
      Containers: Object.fromEntries(
        endpoints.map((e) => [
          e.sandboxId,
          { Name: this.#context.set.get(e.sandboxId)?.name ?? e.sandboxId, EndpointID: e.id, MacAddress: e.mac, IPv4Address: `${e.address}/${e.prefixLength}`, IPv6Address: '' },
        ]),
      ),
      Options: { ...network.options },
      Labels: { ...network.labels },
    };
  }
}

/** Docker calls the driver of the network `none` so. */
export function shownDriver(driver: string): string {
  return driver === 'none' ? 'null' : driver;
}

/** One whose network is another's, or none at all, joins no further one. */
function checkConnectable(record: ContainerRecord): void {
  const mode = record.hostConfig.NetworkMode ?? '';
  if (mode === 'host') throw new Fault('forbidden', 'container sharing network namespace with host cannot be connected to any other network');
  if (otherOf(mode) !== undefined) throw new Fault('forbidden', 'container sharing network namespace with another container or host cannot be connected to any other network');
  if (mode === 'none') throw new Fault('forbidden', 'container cannot be connected to multiple networks with one of the networks in private (none) mode');
}

function typeMatches(network: Network, type: string): boolean {
  if (type !== 'custom' && type !== 'builtin') throw new Fault('invalid', `invalid filter: 'type'='${type}'`);
  return network.predefined === (type === 'builtin');
}

function networkSpec(request: api.NetworkCreateRequest, drivers: readonly DriverFacts[]): NetworkSpec {
  const asked = request.Driver || 'bridge';
  const driver = drivers.find((known) => shownDriver(known.name) === asked);
  if (!driver) throw new Fault('not-found', `could not find plugin ${asked} in v1 plugin registry: Gantry's drivers are ${drivers.map(({ name }) => shownDriver(name)).join(', ')}`);
  if (!driver.joins) throw new Fault('forbidden', `only one instance of "${asked}" network is allowed`);
  if (request.EnableIPv4 === false) throw new Fault('not-implemented', 'networks without IPv4 are not implemented by Gantry');
  if (request.EnableIPv6) throw new Fault('not-implemented', 'IPv6 networks (--ipv6) are not implemented by Gantry yet');
  if (request.Ingress) throw new Fault('not-implemented', 'ingress networks are for swarm mode, which Gantry has not');
  if (request.ConfigOnly || request.ConfigFrom?.Network) throw new Fault('not-implemented', 'ConfigOnly and ConfigFrom networks are not implemented by Gantry');
  if (request.Scope && request.Scope !== 'local') throw new Fault('invalid', `network scope ${request.Scope} is not supported`);
  const ipamDriver = request.IPAM?.Driver || 'default';
  if (ipamDriver !== 'default') throw new Fault('not-found', `could not find IPAM plugin ${ipamDriver}: Gantry has the default one`);
  const config = (request.IPAM?.Config ?? []).map((pool) => {
    if (!pool.Subnet) throw new Fault('invalid', 'invalid network config: a pool needs a subnet');
    return {
      subnet: pool.Subnet,
      ...(pool.IPRange ? { ipRange: pool.IPRange } : {}),
      ...(pool.Gateway ? { gateway: pool.Gateway } : {}),
      ...(pool.AuxiliaryAddresses && Object.keys(pool.AuxiliaryAddresses).length > 0 ? { auxiliaryAddresses: pool.AuxiliaryAddresses } : {}),
    };
  });
  if (!request.Name) throw new Fault('invalid', 'invalid network name: it must not be empty');
  return {
    name: request.Name,
    driver: driver.name,
    internal: request.Internal ?? false,
    attachable: request.Attachable ?? false,
    ...(config.length > 0 || request.IPAM?.Options ? { ipam: { driver: ipamDriver, config, options: request.IPAM?.Options ?? {} } } : {}),
    options: request.Options ?? {},
    labels: request.Labels ?? {},
  };
}

function isOfCluster({ labels }: Network): boolean {
  return labels[clusterLabel] !== undefined;
}
