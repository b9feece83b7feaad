/** The network side of a run: its sandbox, endpoints, published ports and names. */
import { join } from 'node:path';
import type { EndpointSettings } from '#api/docker/networks.ts';
import type { Endpoint, Network, Networks } from '#core/networks/types.ts';
import { Fault } from '#lib/errors.ts';
import type { ContainerContext } from './context.ts';
import { owner } from './context.ts';
import { linkNameOf, parseLink } from './endpoint-settings.ts';
import { portRequests } from './ports.ts';
import type { EtcInput } from './etc-files.ts';
import { readHostFiles, resolverOf } from './etc-files.ts';
import type { ContainerRecord } from './record.ts';
import { isAlive, otherOf, shortId } from './record.ts';

/** What a run's network is to be, decided before anything is made. */
export interface NetworkPlan {
  /** In the order of joining: the first gives the default route. */
  networks: readonly [Network, EndpointSettings][];
  /** 127.0.0.11 answers for names. */
  served: boolean;
  hostNetwork: boolean;
}

export function planNetworks(context: ContainerContext, record: ContainerRecord): NetworkPlan {
  const mode = record.hostConfig.NetworkMode ?? 'bridge';
  const networks = mode === 'host' || otherOf(mode) !== undefined ? [] : wantedNetworks(context, record);
  return { networks, served: networks.some(([network]) => servesNames(context.networks, network)), hostNetwork: mode === 'host' };
}

/**
 * Makes the run's sandbox, still unconnected: a network namespace of its own where it has one, and an IPC namespace that
 * others may join. Gives the network namespace: `host`, another container's, or that one.
 */
export async function openSandbox(context: ContainerContext, record: ContainerRecord): Promise<string> {
  const { NetworkMode: mode = 'bridge', IpcMode, Sysctls, ShmSize } = record.hostConfig;
  const other = otherOf(mode);
  const shared = mode === 'host' ? 'host' : other === undefined ? undefined : namespaceOf(context, record, other);
  const namespaces = [...(shared === undefined ? (['net'] as const) : []), ...(IpcMode === 'shareable' ? (['ipc'] as const) : [])];
  await context.sandboxes.remove(record.id);
  if (namespaces.length === 0) return shared ?? '';
  const sysctls = Object.fromEntries(Object.entries(Sysctls ?? {}).filter(([name]) => name.startsWith('net.')));
  const sandbox = await context.sandboxes.create({ id: record.id, owner, namespaces, sysctls, ...(ShmSize ? { shmSize: ShmSize } : {}) });
  return shared ?? sandbox.netPath ?? '';
}

/** Connects the namespace: endpoints, published ports, names. What a failure leaves, `leaveNetworks` takes away. */
export async function joinNetworks(context: ContainerContext, record: ContainerRecord, plan: NetworkPlan, namespace: string): Promise<Endpoint[]> {
  const endpoints: Endpoint[] = [];
  for (const [network, settings] of plan.networks) {
    endpoints.push(await joinNetwork(context, record, network, settings, namespace, endpoints.length === 0));
  }
  const requests = portRequests(record);
  if (endpoints.length > 0 && requests.length > 0) await context.networks.publish(record.id, requests);
  if (plan.served) await serveNames(context, record, namespace);
  return endpoints;
}

/** Whether containers are joined to it; on others they use a namespace as it is. */
export function joins(networks: Pick<Networks, 'drivers'>, { driver }: Network): boolean {
  return networks.drivers().some((known) => known.name === driver && known.joins);
}

/** A network of the user's own has names; the default bridge has none. */
export function servesNames(networks: Pick<Networks, 'drivers'>, network: Network): boolean {
  return !network.predefined && joins(networks, network);
}

export async function serveNames(context: ContainerContext, record: ContainerRecord, namespace: string): Promise<void> {
  const { hostResolv } = await readHostFiles(false);
  await context.networks.serveNames(record.id, { namespace, upstreams: resolverOf(record, hostResolv, true).servers });
}

/** By the priority of their gateways, then by name: the first gives the default route. */
function wantedNetworks(context: ContainerContext, record: ContainerRecord): [Network, EndpointSettings][] {
  const found = Object.entries(record.endpoints).map(([name, settings]): [Network, EndpointSettings] => {
    const network = context.networks.get(name);
    if (!network) throw new Fault('not-found', `network ${name} not found`);
    return [network, settings];
  });
  const priority = ([, settings]: [Network, EndpointSettings]): number => settings.GwPriority ?? 0;
  return found
    .filter(([network]) => joins(context.networks, network))
    .sort((a, b) => priority(b) - priority(a) || Number(a[0].internal) - Number(b[0].internal) || (a[0].name < b[0].name ? -1 : 1));
}

/** The names by which others find the container on a network. */
export function namesOn(record: ContainerRecord, settings: EndpointSettings): string[] {
  return [...new Set([record.name, ...(settings.Aliases ?? []), shortId(record.id), ...(record.config.Hostname ? [record.config.Hostname] : [])])];
}

/** By the names that the others have now. One that is not there yet is found by its name when it comes. */
function linksOf(context: ContainerContext, settings: EndpointSettings): Record<string, string> {
  const links = (settings.Links ?? []).map(parseLink);
  return Object.fromEntries(links.map(({ container, alias }) => [alias, context.set.find(container)?.name ?? container]));
}

export async function joinNetwork(
  context: ContainerContext,
  record: ContainerRecord,
  network: Network,
  settings: EndpointSettings,
  namespace: string,
  defaultRoute: boolean | undefined,
): Promise<Endpoint> {
  const address = settings.IPAMConfig?.IPv4Address;
  if (address && !servesNames(context.networks, network)) {
    throw new Fault('invalid', 'user specified IP address is supported on user defined networks only');
  }
  const interfaceName = linkNameOf(settings);
  const endpoint = await context.networks.attach(network.id, {
    sandboxId: record.id,
    namespace,
    ...(interfaceName === undefined ? {} : { interfaceName }),
    ...(address ? { address } : {}),
    ...(settings.MacAddress ? { mac: settings.MacAddress } : {}),
    ...(servesNames(context.networks, network) ? { aliases: namesOn(record, settings), links: linksOf(context, settings) } : {}),
    ...(defaultRoute === undefined ? {} : { defaultRoute }),
  });
  context.events.emit('network', 'connect', network.id, { container: record.id, name: network.name, type: network.driver });
  return endpoint;
}

function namespaceOf(context: ContainerContext, record: ContainerRecord, reference: string): string {
  const other = context.set.must(reference);
  if (other.id === record.id) throw new Fault('invalid', 'cannot join own network namespace');
  if (!isAlive(other)) throw new Fault('conflict', `cannot join network of a non running container: ${other.id}`);
  return context.sandboxes.get(other.id)?.netPath ?? (other.hostConfig.NetworkMode === 'host' ? 'host' : join('/proc', String(other.state.pid), 'ns/net'));
}

/** Leaves all networks; works on whatever is left. */
export async function leaveNetworks(context: ContainerContext, record: ContainerRecord): Promise<void> {
  const { networks, sandboxes, events } = context;
  const endpoints = networks.endpoints({ sandbox: record.id });
  await networks.unpublish(record.id);
  for (const endpoint of endpoints) {
    const network = networks.get(endpoint.networkId);
    await networks.detach(endpoint.networkId, record.id);
    events.emit('network', 'disconnect', endpoint.networkId, { container: record.id, name: network?.name ?? '', type: network?.driver ?? 'bridge' });
  }
  await sandboxes.remove(record.id);
}

/** What the files in /etc are made of, for a run that has no endpoint yet. */
export async function etcInputOf(context: ContainerContext, record: ContainerRecord, plan: Pick<NetworkPlan, 'served' | 'hostNetwork'>): Promise<EtcInput> {
  return { record, endpoints: [], served: plan.served, hostNetwork: plan.hostNetwork, hostGateway: hostGateway(context), ...(await readHostFiles(plan.hostNetwork)) };
}

/** The address of the default bridge on the host. */
function hostGateway(context: ContainerContext): string | undefined {
  return context.networks.get('bridge')?.ipam.config.find((c) => c.gateway)?.gateway;
}
