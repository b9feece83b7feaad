/** GET /containers/json: filters, and the one-line texts that `docker ps` shows. */
import type { ListContainersOptions } from '#api/docker/calls.ts';
import type { ContainerSummary, PortSummary } from '#api/docker/containers.ts';
import type { Filters } from '#api/docker/common.ts';
import { Fault } from '#lib/errors.ts';
import { anyOf, labelsMatch, nameMatches } from '../filters.ts';
import { humanDuration } from '../human.ts';
import type { ContainerContext } from './context.ts';
import { endpointMap, mountPoints, shownImage, sizes } from './inspect.ts';
import { sharedLookUps, type LookUps } from './look-ups.ts';
import { parseExposed } from './merge-config.ts';
import { portMap } from './ports.ts';
import type { ContainerRecord } from './record.ts';
import { commandOf, isAlive, isRunning } from './record.ts';

export async function listContainers(context: ContainerContext, options: ListContainersOptions): Promise<ContainerSummary[]> {
  const matches = containerMatcher(context, options.filters);
  const stateAsked = ['status', 'exited', 'health'].some((key) => (options.filters[key] ?? []).length > 0);
  const everyState = options.all || options.limit > 0 || stateAsked;
  const found = context.set.list().filter((record) => (everyState || isRunning(record)) && matches(record));
  const shown = options.limit > 0 ? found.slice(0, options.limit) : found;
  const looks = sharedLookUps(context);
  const summaries = shown.map((record) => summary(context, record, looks));
  if (!options.size) return summaries;
  return Promise.all(shown.map(async (record, i) => ({ ...(summaries[i] as ContainerSummary), ...(await sizes(context, record)) })));
}

function summary(context: ContainerContext, record: ContainerRecord, looks: LookUps): ContainerSummary {
  return {
    Id: record.id,
    Names: [`/${record.name}`],
    Image: shownImage(looks, record),
    ImageID: record.imageId,
    Command: commandText(commandOf(record.config)),
    Created: Math.floor(record.createdAt / 1000),
    Ports: ports(context, record),
    Labels: record.config.Labels ?? {},
    State: record.state.status,
    Status: statusText(context, record),
    HostConfig: { NetworkMode: record.hostConfig.NetworkMode ?? 'bridge', ...(record.hostConfig.Annotations ? { Annotations: record.hostConfig.Annotations } : {}) },
    NetworkSettings: { Networks: endpointMap(context, record, looks) },
    Mounts: mountPoints(context, record),
  };
}

/** As Docker has it: quotes are around arguments with spaces alone, whatever else they hold. */
export function commandText([path = '', ...args]: readonly string[]): string {
  return [path, ...args.map((word) => (word.includes(' ') ? `'${word}'` : word))].join(' ');
}

function ports(context: ContainerContext, record: ContainerRecord): PortSummary[] {
  if (!isAlive(record)) return [];
  return Object.entries(portMap(record, context.networks.published(record.id))).flatMap(([key, bindings]): PortSummary[] => {
    const { port, protocol } = parseExposed(key);
    if (!bindings) return [{ PrivatePort: port, Type: protocol }];
    return bindings.map((b) => ({ ...(b.HostIp ? { IP: b.HostIp } : {}), PrivatePort: port, PublicPort: Number(b.HostPort), Type: protocol }));
  });
}

export function statusText(context: ContainerContext, record: ContainerRecord): string {
  const { state } = record;
  const now = context.clock.now();
  const since = (ms: number | undefined): string => humanDuration(Math.max(0, now - (ms ?? now)));
  switch (state.status) {
    case 'running': {
      const health = context.set.live(record.id).health?.Status;
      const words = health === undefined || health === 'none' ? '' : health === 'starting' ? ' (health: starting)' : ` (${health})`;
      return `Up ${since(state.startedAt)}${words}`;
    }
    case 'paused':
      return `Up ${since(state.startedAt)} (Paused)`;
    case 'restarting':
      return `Restarting (${state.exitCode}) ${since(state.finishedAt)} ago`;
    case 'created':
      return 'Created';
    case 'removing':
      return 'Removal In Progress';
    case 'dead':
      return 'Dead';
    default:
      return `Exited (${state.exitCode}) ${since(state.finishedAt ?? record.createdAt)} ago`;
  }
}

const healths = ['starting', 'healthy', 'unhealthy', 'none'];
const statuses = ['created', 'restarting', 'running', 'removing', 'paused', 'exited', 'dead'];

function containerMatcher(context: ContainerContext, filters: Filters): (record: ContainerRecord) => boolean {
  for (const status of filters['status'] ?? []) {
    if (!statuses.includes(status)) throw new Fault('invalid', `invalid filter 'status=${status}'`);
  }
  for (const health of filters['health'] ?? []) {
    if (!healths.includes(health)) throw new Fault('invalid', `invalid filter 'health=${health}'`);
  }
  for (const code of filters['exited'] ?? []) {
    if (!/^-?\d+$/.test(code)) throw new Fault('invalid', `invalid filter 'exited=${code}': it takes an exit code`);
  }
  const bound = (key: string): number | undefined => {
    const value = filters[key]?.[0];
    return value === undefined ? undefined : context.set.must(value).createdAt;
  };
  const before = bound('before');
  const since = bound('since');
  const ancestors = (filters['ancestor'] ?? []).map((name) => context.images.get(name)?.id ?? name);
  return (record) =>
    labelsMatch(record.config.Labels, filters) &&
    (before === undefined || record.createdAt < before) &&
    (since === undefined || record.createdAt > since) &&
    anyOf(filters, 'id', (id) => record.id.startsWith(id)) &&
    anyOf(filters, 'name', (name) => nameMatches(`/${record.name}`, name) || nameMatches(record.name, name)) &&
    anyOf(filters, 'status', (status) => record.state.status === status) &&
    anyOf(filters, 'exited', (code) => record.state.status === 'exited' && record.state.startedAt !== undefined && record.state.exitCode === Number(code)) &&
    anyOf(filters, 'health', (health) => (context.set.live(record.id).health?.Status ?? 'none') === health) &&
    anyOf(filters, 'is-task', (value) => value === 'false') &&
    anyOf(filters, 'isolation', (value) => value === 'default') &&
    (ancestors.length === 0 || ancestors.some((image) => descends(context, record, image))) &&
    anyOf(filters, 'network', (network) => onNetwork(context, record, network)) &&
    anyOf(filters, 'volume', (volume) => record.mounts.some((m) => m.volume === volume || m.target === volume || m.source === volume)) &&
    anyOf(filters, 'publish', (port) => portIn(port, context.networks.published(record.id).map((p) => ({ port: p.hostPort, protocol: p.protocol })))) &&
    anyOf(filters, 'expose', (port) => portIn(port, exposedPorts(context, record)));
}

function exposedPorts(context: ContainerContext, record: ContainerRecord): { port: number; protocol: string }[] {
  const published = context.networks.published(record.id).map((p) => ({ port: p.containerPort, protocol: p.protocol as string }));
  return [...Object.keys(record.config.ExposedPorts ?? {}).map(parseExposed), ...published];
}

/** Whether one of `ports` is in `first[-last][/protocol]`. */
function portIn(text: string, ports: readonly { port: number; protocol: string }[]): boolean {
  const match = /^(\d+)(?:-(\d+))?(?:\/(\w+))?$/.exec(text);
  if (!match) throw new Fault('invalid', `invalid port: ${text}`);
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  const protocol = match[3] ?? 'tcp';
  return ports.some((p) => p.port >= first && p.port <= last && p.protocol === protocol);
}

function onNetwork(context: ContainerContext, record: ContainerRecord, wanted: string): boolean {
  const network = context.networks.get(wanted);
  return Object.keys(endpointMap(context, record)).some((name) => name === (network?.name ?? wanted));
}

/** Of the image, or of one made from it. */
function descends(context: ContainerContext, record: ContainerRecord, image: string): boolean {
  if (record.image === image || record.imageId === image) return true;
  const layers = context.images.get(image)?.config.rootfs.diff_ids;
  const own = context.images.get(record.imageId)?.config.rootfs.diff_ids;
  return layers !== undefined && own !== undefined && layers.length <= own.length && layers.every((layer, i) => own[i] === layer);
}
