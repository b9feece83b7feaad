/** Checks a HostConfig: each field works or is refused by name. Zero values, which the CLI always sends, are unset. */
import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { parseExtraHost } from '#api/docker/extra-hosts.ts';
import type { HostConfig, RestartPolicy } from '#api/docker/host-config.ts';
import { rlimitsOf } from '#api/docker/ulimits.ts';
import { combineCapabilities } from '#core/containers/capabilities.ts';
import { Fault } from '#lib/errors.ts';
import { checkLog } from './log-config.ts';
import { checkWord } from './merge-config.ts';
import { otherOf } from './record.ts';

/** What is there in Docker, and not here: field -> how it is asked for. */
const refused: readonly [(h: HostConfig) => boolean, string][] = [
  [(h) => (h.Links ?? []).length > 0 && !isOwnNetwork(h.NetworkMode), 'Links (--link) on the default bridge are not implemented by Gantry; put both containers on a network of their own, where they find each other by name'],
  [(h) => Object.keys(h.StorageOpt ?? {}).length > 0, 'StorageOpt (--storage-opt) is not supported by the overlayfs storage driver'],
  [(h) => (h.DeviceRequests ?? []).length > 0, 'could not select device driver: DeviceRequests (--gpus) are not implemented by Gantry'],
  [(h) => (h.KernelMemory ?? 0) > 0 || (h.KernelMemoryTCP ?? 0) > 0, 'KernelMemory (--kernel-memory) is not supported: kernels have dropped it'],
  [(h) => (h.Cgroup ?? '') !== '', 'Cgroup is not implemented by Gantry'],
  [(h) => (h.BlkioWeightDevice ?? []).length > 0, 'BlkioWeightDevice (--blkio-weight-device) is not implemented by Gantry'],
  [(h) => throttles(h) > 0, 'block device limits (--device-read-bps and the like) are not implemented by Gantry'],
  [(h) => !['', 'host'].includes(h.UsernsMode ?? ''), 'UsernsMode (--userns) other than host is not implemented by Gantry'],
  [(h) => !['', 'default'].includes((h.Isolation ?? '').toLowerCase()), 'invalid isolation: Linux has only the default'],
  [(h) => [h.CpuCount, h.CpuPercent, h.IOMaximumIOps, h.IOMaximumBandwidth].some((v) => (v ?? 0) > 0), 'CpuCount, CpuPercent and IOMaximum* are for Windows'],
  [(h) => (h.VolumeDriver ?? '') !== '' && h.VolumeDriver !== 'local', 'VolumeDriver (--volume-driver) other than local is not implemented by Gantry'],
];

/** A network that a user made: there, clients say links once more with the endpoint. */
function isOwnNetwork(mode: string | undefined): boolean {
  return !['', 'default', 'bridge', 'host', 'none'].includes(mode ?? '') && otherOf(mode) === undefined;
}

function throttles(h: HostConfig): number {
  return [h.BlkioDeviceReadBps, h.BlkioDeviceWriteBps, h.BlkioDeviceReadIOps, h.BlkioDeviceWriteIOps].reduce((n, list) => n + (list?.length ?? 0), 0);
}

/** A hundredth of a CPU: the kernel takes no less. */
const leastNanoCpus = 1e7;
/** 6 MiB: the runtime needs as much. */
const leastMemory = 6 << 20;

/** What of the host a HostConfig is checked against. */
export interface CheckedHost {
  /** The default first. */
  runtimes: readonly string[];
  cgroupVersion: 1 | 2;
}

/** The config with the defaults that depend on this host and on its other fields filled in. */
export function checkHostConfig(given: HostConfig, host: CheckedHost): HostConfig {
  for (const [applies, message] of refused) {
    if (applies(given)) throw new Fault('not-implemented', message);
  }
  checkResources(given);
  checkModes(given, host.runtimes);
  checkAddresses(given);
  checkSecurity(given);
  const policy = checkRestartPolicy(given.RestartPolicy);
  if (given.AutoRemove && policy.Name !== 'no') throw new Fault('invalid', "can't create 'AutoRemove' container with restart policy");
  return {
    ...given,
    RestartPolicy: policy,
    LogConfig: checkLog(given),
    NetworkMode: given.NetworkMode === 'default' || !given.NetworkMode ? 'bridge' : given.NetworkMode,
    IpcMode: given.IpcMode || 'private',
    // as Docker has it: on cgroup v1 a container sees the host's groups
    CgroupnsMode: given.CgroupnsMode || (given.Privileged || host.cgroupVersion === 1 ? 'host' : 'private'),
    Runtime: given.Runtime || (host.runtimes[0] ?? ''),
    ShmSize: given.ShmSize || (64 << 20),
    MemorySwap: given.MemorySwap || 2 * (given.Memory ?? 0),
    MemorySwappiness: given.MemorySwappiness === -1 || host.cgroupVersion === 2 ? null : (given.MemorySwappiness ?? null),
    PidsLimit: given.PidsLimit && given.PidsLimit > 0 ? given.PidsLimit : null,
    OomKillDisable: host.cgroupVersion === 2 ? null : (given.OomKillDisable ?? false),
  };
}

/** What is left out with a word to the client, as Docker does: such containers are made on hosts of both kinds by the same scripts. */
export function hostWarnings(given: HostConfig, { cgroupVersion }: Pick<CheckedHost, 'cgroupVersion'>): string[] {
  const result: string[] = [];
  if (given.NetworkMode === 'host' && Object.keys(given.PortBindings ?? {}).length > 0) result.push('Published ports are discarded when using host network mode');
  if (cgroupVersion === 1) return result;
  if (given.OomKillDisable) result.push('Your kernel does not support OomKillDisable. OomKillDisable discarded.');
  if ((given.MemorySwappiness ?? -1) >= 0) result.push('Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.');
  return result;
}

export function checkRestartPolicy(policy: RestartPolicy | undefined): RestartPolicy {
  const name = policy?.Name || 'no';
  const most = policy?.MaximumRetryCount ?? 0;
  if (!['no', 'always', 'unless-stopped', 'on-failure'].includes(name)) {
    throw new Fault('invalid', `invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`);
  }
  if (most < 0) throw new Fault('invalid', 'invalid restart policy: maximum retry count cannot be negative');
  if (most > 0 && name !== 'on-failure') throw new Fault('invalid', "invalid restart policy: maximum retry count can only be used with 'on-failure'");
  return { Name: name, MaximumRetryCount: most };
}

export function checkResources(h: HostConfig): void {
  const memory = h.Memory ?? 0;
  const swap = h.MemorySwap ?? 0;
  if (memory !== 0 && memory < leastMemory) throw new Fault('invalid', 'Minimum memory limit allowed is 6MB');
  if (swap > 0 && memory === 0) throw new Fault('invalid', 'You should always set the Memory limit when using Memoryswap limit, see usage');
  if (swap > 0 && swap < memory) throw new Fault('invalid', 'Minimum memoryswap limit should be larger than memory limit, see usage');
  if ((h.MemoryReservation ?? 0) > memory && memory > 0) throw new Fault('invalid', 'Minimum memory limit can not be less than memory reservation limit, see usage');
  const swappiness = h.MemorySwappiness ?? -1;
  if (swappiness < -1 || swappiness > 100) throw new Fault('invalid', `Invalid value: ${swappiness}, valid memory swappiness range is 0-100`);
  if ((h.NanoCpus ?? 0) > 0 && ((h.CpuPeriod ?? 0) > 0 || (h.CpuQuota ?? 0) > 0)) {
    throw new Fault('invalid', 'Conflicting options: Nano CPUs and CPU Period/Quota cannot both be set');
  }
  const nanos = h.NanoCpus ?? 0;
  const most = availableParallelism();
  if (nanos !== 0 && (nanos < leastNanoCpus || nanos > most * 1e9)) throw new Fault('invalid', `range of CPUs is from 0.01 to ${most}.00, as there are only ${most} CPUs available`);
  const period = h.CpuPeriod ?? 0;
  if (period !== 0 && (period < 1000 || period > 1_000_000)) throw new Fault('invalid', 'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  const quota = h.CpuQuota ?? 0;
  if (quota > 0 && quota < 1000) throw new Fault('invalid', 'CPU cfs quota can not be less than 1ms (i.e. 1000)');
  const weight = h.BlkioWeight ?? 0;
  if (weight !== 0 && (weight < 10 || weight > 1000)) throw new Fault('invalid', 'Range of blkio weight is from 10 to 1000');
  if ((h.ShmSize ?? 0) < 0) throw new Fault('invalid', 'SHM size can not be less than 0');
  const score = h.OomScoreAdj ?? 0;
  if (score < -1000 || score > 1000) throw new Fault('invalid', `Invalid value ${score}, range for oom score adj is [-1000, 1000]`);
  rlimitsOf(h.Ulimits ?? []);
}

function checkModes(h: HostConfig, runtimes: readonly string[]): void {
  const runtime = h.Runtime ?? '';
  if (runtime !== '' && !runtimes.includes(runtime)) throw new Fault('invalid', `unknown or invalid runtime name: ${runtime}`);
  const allowed: [string, string, RegExp][] = [
    ['IPC mode', h.IpcMode ?? '', /^(|private|shareable|host|container:.+)$/],
    ['PID mode', h.PidMode ?? '', /^(|private|host|container:.+)$/],
    ['UTS mode', h.UTSMode ?? '', /^(|private|host)$/],
    ['cgroup namespace mode', h.CgroupnsMode ?? '', /^(|private|host)$/],
  ];
  for (const [what, value, rule] of allowed) {
    if (!rule.test(value)) throw new Fault('invalid', `invalid ${what}: ${value}`);
  }
  const joins = otherOf(h.NetworkMode) !== undefined;
  if (joins) {
    if ((h.Dns ?? []).length > 0) throw new Fault('invalid', 'conflicting options: dns and the network mode');
    if ((h.ExtraHosts ?? []).length > 0) throw new Fault('invalid', 'conflicting options: custom host-to-IP mapping and the network mode');
    if (Object.keys(h.PortBindings ?? {}).length > 0 || h.PublishAllPorts) throw new Fault('invalid', 'conflicting options: port publishing and the container type network mode');
  }
  if ((joins || h.NetworkMode === 'host') && Object.keys(h.Sysctls ?? {}).some((name) => name.startsWith('net.'))) {
    throw new Fault('invalid', 'conflicting options: net sysctls and a network mode that shares another network');
  }
}

function checkAddresses(h: HostConfig): void {
  (h.ExtraHosts ?? []).forEach(parseExtraHost);
  for (const entry of h.ExtraHosts ?? []) checkWord('add-host', entry);
  for (const word of h.DnsSearch ?? []) checkWord('dns-search', word);
  for (const word of h.DnsOptions ?? []) checkWord('dns-option', word);
  for (const server of h.Dns ?? []) {
    if (isIP(server) === 0) throw new Fault('invalid', `invalid IP address in dns: "${server}"`);
  }
}

/** Parsed `SecurityOpt`. */
export interface Security {
  seccomp: 'unconfined' | object | undefined;
  noNewPrivileges: boolean;
  apparmor: string | undefined;
}

export function checkSecurity(h: HostConfig): Security {
  combineCapabilities(h.CapAdd ?? [], h.CapDrop ?? []);
  const result: Security = { seccomp: undefined, noNewPrivileges: false, apparmor: undefined };
  for (const option of h.SecurityOpt ?? []) {
    const match = /^([a-z-]+)(?:[=:](.*))?$/s.exec(option);
    const [, key = '', value = ''] = match ?? [];
    if (key === 'no-new-privileges' && !['', 'true', 'false'].includes(value)) throw new Fault('invalid', `invalid --security-opt: "${option}": it takes true or false`);
    if (key === 'no-new-privileges') result.noNewPrivileges = value !== 'false';
    else if (key === 'seccomp') result.seccomp = parseSeccomp(value);
    else if (key === 'apparmor') result.apparmor = value;
    else if (key === 'label' && value === 'disable') continue;
    else if (key === 'label') throw new Fault('not-implemented', `security-opt ${option}: SELinux labels are not implemented by Gantry`);
    else if (key === 'writable-cgroups') throw new Fault('not-implemented', 'security-opt writable-cgroups is not implemented by Gantry');
    else throw new Fault('invalid', `invalid --security-opt 2: "${option}"`);
  }
  return result;
}

function parseSeccomp(value: string): 'unconfined' | object | undefined {
  if (value === 'unconfined') return value;
  if (value === 'builtin' || value === '') return undefined;
  try {
    const profile: unknown = JSON.parse(value);
    if (typeof profile === 'object' && profile !== null) return profile;
  } catch {
    // falls through to the refusal
  }
  throw new Fault('invalid', 'Decoding seccomp profile failed: it must be a JSON object');
}
