/** The core container of a run, from the engine's record. */
import { closeSync, constants, fstatSync, openSync, readlinkSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import type { Resources } from '#api/docker/host-config.ts';
import { rlimitsOf } from '#api/docker/ulimits.ts';
import { combineCapabilities } from '#core/containers/capabilities.ts';
import { defaultPath } from '#core/containers/spec/defaults.ts';
import type { ContainerSpec, MountSpec, NamespaceSpec, ResourceSpec } from '#core/containers/types.ts';
import { resolveUser } from '#core/containers/user.ts';
import type { Sandbox } from '#core/sandboxes/types.ts';
import { Fault, codeOf, isFault } from '#lib/errors.ts';
import { openPath } from '#lib/open-flags.ts';
import { resolveInRoot } from '#lib/rootfs-path.ts';
import { parseSignal } from '../signals.ts';
import type { ContainerContext } from './context.ts';
import { logPathOf, owner } from './context.ts';
import { logLimitsOf } from './log-config.ts';
import { hostnameOf } from './etc-files.ts';
import { checkSecurity } from './host-config.ts';
import type { ContainerRecord, MountRecord } from './record.ts';
import { commandOf, isAlive, otherOf } from './record.ts';

export interface RunInput {
  rootfs: string;
  /** `host` or a path. */
  network: string;
  etcMounts: readonly MountSpec[];
  /** Told of what must be mounted where: see `checkMounts`. */
  held: HeldMount[];
}

/** What a subpath led to when the spec was made: an open descriptor, and where it is to be in the container. */
export interface HeldMount {
  fd: number;
  target: string;
}

export async function runSpec(context: ContainerContext, record: ContainerRecord, input: RunInput): Promise<ContainerSpec> {
  const { config, hostConfig: host } = record;
  const security = checkSecurity(host);
  const user = resolveUser(context.files, input.rootfs, config.User ?? '', host.GroupAdd ?? []);
  await makeWorkingDirectory(input.rootfs, config.WorkingDir ?? '');
  const [rows, columns] = host.ConsoleSize ?? [0, 0];
  return {
    id: record.id,
    owner,
    rootfs: input.rootfs,
    readonlyRootfs: host.ReadonlyRootfs ?? false,
    process: {
      args: commandOf(config),
      env: processEnv(record, user.home),
      cwd: config.WorkingDir || '/',
      terminal: config.Tty ?? false,
      ...(rows > 0 && columns > 0 ? { size: { rows, columns } } : {}),
      user,
      capabilities: combineCapabilities(host.CapAdd ?? [], host.CapDrop ?? []),
      noNewPrivileges: security.noNewPrivileges,
      rlimits: rlimitsOf(host.Ulimits ?? []),
      ...(security.apparmor === undefined ? {} : { apparmorProfile: security.apparmor }),
    },
    hostname: hostnameOf(record),
    mounts: [...ipcMounts(context, record), ...input.etcMounts, ...(await volumeMounts(context, record, input.held))],
    namespaces: namespaces(context, record, input.network),
    devices: (host.Devices ?? []).map((d) => ({ hostPath: d.PathOnHost, path: d.PathInContainer, access: d.CgroupPermissions || 'rwm' })),
    deviceRules: host.DeviceCgroupRules ?? [],
    resources: resourceSpec(host),
    ...(host.CgroupParent ? { cgroup: `${host.CgroupParent.replace(/^\/+|\/+$/g, '')}/${record.id}` } : {}),
    sysctls: Object.fromEntries(Object.entries(host.Sysctls ?? {}).filter(([name]) => !name.startsWith('net.'))),
    privileged: host.Privileged ?? false,
    ...(security.seccomp === undefined ? {} : { seccomp: security.seccomp }),
    ...(host.MaskedPaths ? { maskedPaths: host.MaskedPaths } : {}),
    ...(host.ReadonlyPaths ? { readonlyPaths: host.ReadonlyPaths } : {}),
    shmSize: host.ShmSize,
    // with another's pids it would not be the first process, which is what it is for
    init: (host.Init ?? false) && ['', 'private'].includes(host.PidMode ?? ''),
    ...(host.Annotations ? { annotations: host.Annotations } : {}),
    ...(config.StopSignal ? { stopSignal: parseSignal(config.StopSignal) } : {}),
    ...(typeof config.StopTimeout === 'number' ? { stopTimeoutSeconds: config.StopTimeout } : {}),
    stdin: config.OpenStdin ?? false,
    stdinOnce: config.StdinOnce ?? false,
    logPath: logPathOf(context, record),
    logLimits: logLimitsOf(host),
    oomScoreAdj: host.OomScoreAdj ?? 0,
  };
}

/** PATH, HOSTNAME, TERM and HOME where nobody set them; then the config's. A bare name unsets. */
export function processEnv(record: ContainerRecord, home: string, more: readonly string[] = [], terminal = record.config.Tty ?? false): string[] {
  const merged = new Map<string, string>();
  for (const entry of [defaultPath, `HOSTNAME=${hostnameOf(record)}`, ...(terminal ? ['TERM=xterm'] : []), ...(record.config.Env ?? []), ...more]) {
    const name = entry.split('=', 1)[0] ?? '';
    if (entry.includes('=')) merged.set(name, entry);
    else merged.delete(name);
  }
  if (!merged.has('HOME')) merged.set('HOME', `HOME=${home}`);
  return [...merged.values()];
}

/** The runtime changes to it and does not make it. Nothing runs in the root file system yet. */
async function makeWorkingDirectory(rootfs: string, directory: string): Promise<void> {
  if (directory === '' || directory === '/') return;
  try {
    await mkdir(await resolveInRoot(rootfs, directory), { recursive: true });
  } catch (error) {
    if (codeOf(error) === 'EEXIST' || codeOf(error) === 'ENOTDIR') throw new Fault('invalid', `Cannot mkdir: ${directory} is not a directory`, { cause: error });
    throw error;
  }
}

export function resourceSpec(host: Resources): ResourceSpec {
  const period = host.CpuPeriod || 100_000;
  const quota = host.NanoCpus ? Math.round((host.NanoCpus / 1e9) * period) : host.CpuQuota;
  const swap = host.MemorySwap || (host.Memory ? host.Memory * 2 : 0);
  const set = <K extends keyof ResourceSpec>(key: K, value: ResourceSpec[K] | null | undefined | 0 | ''): Partial<ResourceSpec> =>
    value === null || value === undefined || value === 0 || value === '' ? {} : { [key]: value };
  return {
    ...set('memoryBytes', host.Memory),
    ...set('memorySwapBytes', swap),
    ...set('memoryReservation', host.MemoryReservation),
    ...set('cpuQuota', quota),
    ...set('cpuPeriod', host.CpuPeriod || (host.NanoCpus ? period : 0)),
    ...set('cpuShares', host.CpuShares),
    ...set('cpusetCpus', host.CpusetCpus),
    ...set('cpusetMems', host.CpusetMems),
    ...set('pids', host.PidsLimit && host.PidsLimit > 0 ? host.PidsLimit : undefined),
    ...set('blkioWeight', host.BlkioWeight),
    ...(host.OomKillDisable ? { oomKillDisable: true } : {}),
    ...(typeof host.MemorySwappiness === 'number' && host.MemorySwappiness >= 0 ? { memorySwappiness: host.MemorySwappiness } : {}),
    ...set('cpuRealtimePeriod', host.CpuRealtimePeriod),
    ...set('cpuRealtimeRuntime', host.CpuRealtimeRuntime),
  };
}

function namespaces(context: ContainerContext, record: ContainerRecord, network: string): NamespaceSpec {
  const { PidMode = '', UTSMode = '', CgroupnsMode = '' } = record.hostConfig;
  const ipc = ipcSource(context, record);
  return {
    net: network,
    ...(ipc === 'host' ? { ipc } : ipc?.ipcPath ? { ipc: ipc.ipcPath } : {}),
    ...pidNamespace(context, PidMode),
    ...(UTSMode === 'host' ? { uts: 'host' } : {}),
    ...(CgroupnsMode === '' ? {} : { cgroup: CgroupnsMode }),
  };
}

function pidNamespace(context: ContainerContext, mode: string): NamespaceSpec {
  if (mode === 'host') return { pid: 'host' };
  const other = otherOf(mode);
  return other === undefined ? {} : { pid: `/proc/${running(context, other).state.pid}/ns/pid` };
}

/** Whose IPC namespace and /dev/shm the run has: undefined for its own alone. */
function ipcSource(context: ContainerContext, record: ContainerRecord): 'host' | Sandbox | undefined {
  const mode = record.hostConfig.IpcMode ?? '';
  if (mode === 'host') return 'host';
  if (mode === 'shareable') return context.sandboxes.get(record.id);
  const name = otherOf(mode);
  if (name === undefined) return undefined;
  const other = running(context, name);
  const source = ipcSource(context, other);
  if (source) return source;
  throw new Fault('invalid', `can't join IPC of container ${other.id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`);
}

function running(context: ContainerContext, reference: string): ContainerRecord {
  const other = context.set.must(reference);
  if (!isAlive(other)) throw new Fault('conflict', `cannot join a namespace of a non running container: ${other.id}`);
  return other;
}

function ipcMounts(context: ContainerContext, record: ContainerRecord): MountSpec[] {
  const source = ipcSource(context, record);
  if (source === 'host' || !source?.shmPath) return [];
  return [{ type: 'bind', source: source.shmPath, target: '/dev/shm', options: ['rbind', 'rprivate'] }];
}

async function volumeMounts(context: ContainerContext, record: ContainerRecord, held: HeldMount[]): Promise<MountSpec[]> {
  const result: MountSpec[] = [];
  for (const mount of record.mounts) result.push(await mountSpec(context, record, mount, held));
  return result;
}

async function mountSpec(context: ContainerContext, record: ContainerRecord, mount: MountRecord, held: HeldMount[]): Promise<MountSpec> {
  if (mount.type === 'tmpfs') return { type: 'tmpfs', source: 'tmpfs', target: mount.target, options: mount.tmpfs ?? [] };
  const source = mount.volume === undefined ? (mount.source ?? '') : await volumeSource(context, record, mount, mount.volume, held);
  return { type: 'bind', source, target: mount.target, options: bindOptions(mount) };
}

function bindOptions(mount: MountRecord): string[] {
  const propagation = mount.propagation || 'rprivate';
  // a word that is about the mounts below would have crun bring them along
  if (mount.nonRecursive) return ['bind', mount.readOnly ? 'ro' : 'rw', propagation.replace(/^r/, '')];
  const readOnly = mount.readOnlyNonRecursive ? 'ro' : 'rro';
  return ['rbind', mount.readOnly ? readOnly : 'rw', propagation];
}

async function volumeSource(context: ContainerContext, record: ContainerRecord, mount: MountRecord, volume: string, held: HeldMount[]): Promise<string> {
  const directory = await context.volumes.use(volume, record.id);
  context.events.emit('volume', 'mount', volume, {
    container: record.id,
    destination: mount.target,
    driver: 'local',
    propagation: mount.propagation,
    'read/write': String(!mount.readOnly),
  });
  return mount.subpath ? holdInside(context, directory, mount, held) : directory;
}

/**
 * The host path of what the mount's subpath is below `directory` at this moment. Another container of the volume may put a
 * link in its place before the runtime mounts it, so it is held open for `checkMounts` to compare.
 */
function holdInside(context: ContainerContext, directory: string, mount: MountRecord, held: HeldMount[]): string {
  const root = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const fd = context.files.openInRoot(root, mount.subpath ?? '/', openPath);
    held.push({ fd, target: mount.target });
    return readlinkSync(context.files.pathOf(fd));
  } catch (error) {
    if (isFault(error, 'not-found')) throw new Fault('not-found', `failed to mount subpath ${mount.subpath}: the volume has no such path`, { cause: error });
    throw error;
  } finally {
    closeSync(root);
  }
}

/** With the process made and nothing of it run: whether it got what was held, and not what was put in its place. */
export function checkMounts(context: ContainerContext, pid: number, held: readonly HeldMount[]): void {
  if (held.length === 0) return;
  const root = openSync(`/proc/${pid}/root`, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    for (const { fd, target } of held) {
      const mounted = context.files.openInRoot(root, target, openPath);
      const [wanted, found] = [fstatSync(fd), fstatSync(mounted)];
      context.files.close(mounted);
      if (wanted.dev !== found.dev || wanted.ino !== found.ino) {
        throw new Fault('internal', `the volume changed below the mount of ${target} while it was mounted; start the container again`);
      }
    }
  } finally {
    closeSync(root);
  }
}
