/** GET /containers/{id}/json: the record and what is known of its run, in Docker's shape. */
import { join, posix } from 'node:path';
import type { ContainerInspect, MountPoint, NetworkSettings } from '#api/docker/containers.ts';
import { zeroTime } from '#api/docker/common.ts';
import type { EndpointSettings } from '#api/docker/networks.ts';
import { isoTime } from '#lib/clock.ts';
import { graphDriver } from '../images/graph-driver.ts';
import type { ContainerContext } from './context.ts';
import { directoryOf, logPathOf } from './context.ts';
import { lookUps, type LookUps } from './look-ups.ts';
import { namesOn, servesNames } from './networking.ts';
import { portMap } from './ports.ts';
import type { ContainerRecord, MountRecord } from './record.ts';
import { shownHostConfig } from './shown-host-config.ts';
import { commandOf, isAlive, isRunning } from './record.ts';

export async function inspectContainer(context: ContainerContext, record: ContainerRecord, size: boolean): Promise<ContainerInspect> {
  const [path = '', ...args] = commandOf(record.config);
  const directory = directoryOf(context, record.id);
  const execIds = [...context.set.live(record.id).execs.values()].filter((exec) => exec.running || !exec.started).map((exec) => exec.id);
  return {
    Id: record.id,
    Created: isoTime(record.createdAt),
    Path: path,
    Args: args,
    State: inspectState(context, record),
    Image: record.imageId,
    ResolvConfPath: join(directory, 'resolv.conf'),
    HostnamePath: join(directory, 'hostname'),
    HostsPath: join(directory, 'hosts'),
    LogPath: logPathOf(context, record) ?? '',
    Name: `/${record.name}`,
    RestartCount: record.state.restartCount,
    Driver: 'overlay2',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: execIds.length > 0 ? execIds : null,
    HostConfig: shownHostConfig(record.hostConfig),
    GraphDriver: graphDriver(context.snapshots.directories(record.id)),
    ...(size ? await sizes(context, record) : {}),
    Mounts: mountPoints(context, record),
    Config: record.config,
    NetworkSettings: networkSettings(context, record),
  };
}

function inspectState(context: ContainerContext, record: ContainerRecord): ContainerInspect['State'] {
  const { state } = record;
  const time = (ms: number | undefined): string => (ms === undefined ? zeroTime : isoTime(ms));
  const { health } = context.set.live(record.id);
  return {
    Status: state.status,
    Running: isRunning(record),
    Paused: state.status === 'paused',
    Restarting: state.status === 'restarting',
    OOMKilled: state.oomKilled,
    Dead: state.status === 'dead',
    Pid: isAlive(record) ? state.pid : 0,
    ExitCode: state.exitCode,
    Error: state.error,
    StartedAt: time(state.startedAt),
    FinishedAt: time(state.finishedAt),
    ...(health ? { Health: health } : {}),
  };
}

export async function sizes(context: ContainerContext, record: ContainerRecord): Promise<{ SizeRw: number; SizeRootFs: number }> {
  const own = await context.snapshots.usage(record.id);
  return { SizeRw: own.bytes, SizeRootFs: own.bytes + (context.images.get(record.imageId)?.size ?? 0) };
}

/** Without those of `--tmpfs`, which Docker tells of in the HostConfig alone. */
export function mountPoints(context: ContainerContext, record: ContainerRecord): MountPoint[] {
  const tmpfs = Object.keys(record.hostConfig.Tmpfs ?? {}).map((target) => posix.resolve(target));
  return record.mounts.filter((mount) => mount.type !== 'tmpfs' || !tmpfs.includes(mount.target)).map((mount) => mountPoint(context, mount));
}

function mountPoint(context: ContainerContext, mount: MountRecord): MountPoint {
  const shared = { Destination: mount.target, Mode: mount.mode, RW: !mount.readOnly, Propagation: '' };
  if (mount.type === 'tmpfs') return { Type: 'tmpfs', Source: '', ...shared };
  if (mount.volume === undefined) return { Type: 'bind', Source: mount.source ?? '', ...shared, Propagation: mount.propagation || 'rprivate' };
  return { Type: 'volume', Name: mount.volume, Source: context.volumes.get(mount.volume)?.mountpoint ?? '', Driver: 'local', ...shared, Mode: mount.mode || (mount.anonymous ? '' : 'z') };
}

/** Each network of the container by name, with what its endpoint has while it runs. */
export function endpointMap(context: ContainerContext, record: ContainerRecord, looks = lookUps(context)): Record<string, EndpointSettings> {
  const mode = record.hostConfig.NetworkMode ?? 'bridge';
  const wanted = mode === 'host' || mode === 'none' ? { [mode]: {} } : record.endpoints;
  const result: Record<string, EndpointSettings> = {};
  for (const [key, settings] of Object.entries(wanted)) {
    const network = looks.network(key);
    const endpoint = network && looks.endpoint(network.id, record.id);
    result[network?.name ?? key] = {
      IPAMConfig: settings.IPAMConfig ?? null,
      Links: settings.Links ?? null,
      Aliases: settings.Aliases ?? null,
      MacAddress: endpoint?.mac ?? settings.MacAddress ?? '',
      DriverOpts: settings.DriverOpts ?? null,
      GwPriority: settings.GwPriority ?? 0,
      NetworkID: network?.id ?? '',
      EndpointID: endpoint?.id ?? '',
      Gateway: endpoint?.gateway ?? '',
      IPAddress: endpoint?.address ?? '',
      IPPrefixLen: endpoint?.prefixLength ?? 0,
      IPv6Gateway: '',
      GlobalIPv6Address: '',
      GlobalIPv6PrefixLen: 0,
      DNSNames: network && servesNames(context.networks, network) ? namesOn(record, settings) : null,
    };
  }
  return result;
}

function networkSettings(context: ContainerContext, record: ContainerRecord): NetworkSettings {
  const networks = endpointMap(context, record);
  const bridge = networks['bridge'];
  const sandbox = context.sandboxes.get(record.id);
  return {
    Bridge: '',
    SandboxID: sandbox ? record.id : '',
    SandboxKey: sandbox?.netPath ?? '',
    Ports: isAlive(record) ? portMap(record, context.networks.published(record.id)) : {},
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: bridge?.EndpointID ?? '',
    Gateway: bridge?.Gateway ?? '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    IPAddress: bridge?.IPAddress ?? '',
    IPPrefixLen: bridge?.IPPrefixLen ?? 0,
    IPv6Gateway: '',
    MacAddress: bridge?.MacAddress ?? '',
    Networks: networks,
  };
}

/** What lists show: the name that was asked for, or the image's id where nobody or another image has that name now. */
export function shownImage(looks: Pick<LookUps, 'imageId'>, record: ContainerRecord): string {
  return looks.imageId(record.image) === record.imageId ? record.image : record.imageId;
}
