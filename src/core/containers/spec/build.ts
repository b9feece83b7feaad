/** Writes the OCI configuration of a container: Docker's default confinement, changed by what the spec says. */
import { accessSync, constants, existsSync } from 'node:fs';
import { posix } from 'node:path';
import type { RuntimeConfig, RuntimeLinux, RuntimeMount, RuntimeNamespaceType, RuntimeProcess } from '#api/oci/runtime.ts';
import { annotationStopSignal, annotationStopTimeout } from '#api/oci/runtime.ts';
import { Fault } from '#lib/errors.ts';
import { capabilityNames, defaultCapabilities } from '../capabilities.ts';
import { defaultProfile } from '../seccomp/default.ts';
import { parseSeccompProfile, resolveSeccomp } from '../seccomp/resolve.ts';
import type { ContainerSpec, MountSpec, NamespaceSpec, ProcessSpec } from '../types.ts';
import { defaultDeviceRules, defaultMaskedPaths, defaultMounts, defaultNetworkSysctls, defaultReadonlyPaths, defaultShmSize } from './defaults.ts';
import { allowDevice, hostDevices, parseDeviceRule, resolveDevices } from './devices.ts';
import type { SpecHost } from './host.ts';
import { runtimeResources } from './resources.ts';

const initTarget = '/sbin/docker-init';
const initPrograms = ['/usr/bin/docker-init', '/usr/libexec/docker/docker-init', '/usr/bin/tini-static', '/usr/libexec/podman/catatonit', '/usr/bin/catatonit'];

export function buildConfig(spec: ContainerSpec, cgroup: string, host: SpecHost): RuntimeConfig {
  const init = spec.init ? findInit() : undefined;
  const wanted = spec.privileged ? capabilityNames : (spec.process.capabilities ?? defaultCapabilities);
  const process = buildProcess(spec.process, wanted, host);
  if (init) process.args = [initTarget, '--', ...process.args];
  process.oomScoreAdj = host.oomScoreAdj(spec.oomScoreAdj ?? 0);
  const config: RuntimeConfig = {
    ociVersion: '1.0.2',
    root: { path: spec.rootfs, readonly: spec.readonlyRootfs ?? false },
    process,
    mounts: buildMounts(spec, init),
    linux: buildLinux(spec, cgroup, host),
  };
  const annotations: Record<string, string> = { ...spec.annotations };
  if (spec.stopSignal !== undefined) annotations[annotationStopSignal] = String(spec.stopSignal);
  if (spec.stopTimeoutSeconds !== undefined) annotations[annotationStopTimeout] = String(spec.stopTimeoutSeconds);
  if (Object.keys(annotations).length > 0) config.annotations = annotations;
  if (spec.hostname !== undefined && spec.namespaces?.uts !== 'host') config.hostname = spec.hostname;
  return config;
}

/** A process as the runtime takes it, for the main one and for execs. `wanted` is what root keeps. */
export function buildProcess(spec: ProcessSpec, wanted: readonly string[], host: SpecHost): RuntimeProcess {
  const capabilities = wanted.filter((name) => host.capabilities.has(name));
  if (spec.args.length === 0) throw new Fault('invalid', 'no command specified');
  const process: RuntimeProcess = {
    args: [...spec.args],
    env: [...spec.env],
    cwd: spec.cwd === '' ? '/' : spec.cwd,
    // with its own group among them, a process that changes its group still counts as one of it (CVE-2022-36109)
    user: { uid: spec.user.uid, gid: spec.user.gid, additionalGids: [...new Set([spec.user.gid, ...(spec.user.additionalGids ?? [])])] },
    // Others than root get none at execve; giving them here would only differ from what execve does.
    capabilities: spec.user.uid === 0 ? { bounding: capabilities, effective: capabilities, permitted: capabilities } : { bounding: capabilities },
    noNewPrivileges: spec.noNewPrivileges ?? false,
  };
  if (spec.terminal) process.terminal = true;
  if (spec.terminal && spec.size) process.consoleSize = { height: spec.size.rows, width: spec.size.columns };
  if (spec.rlimits?.length) process.rlimits = spec.rlimits.map((limit) => host.rlimit({ ...limit }));
  if (spec.apparmorProfile) process.apparmorProfile = spec.apparmorProfile;
  return process;
}

function buildMounts(spec: ContainerSpec, init: string | undefined): RuntimeMount[] {
  const own = (spec.mounts ?? []).map(toMount);
  const targets = new Set(own.map((mount) => mount.destination));
  const defaults = defaultMounts({ shmSize: spec.shmSize ?? defaultShmSize, writableSys: spec.privileged ?? false });
  const shared = spec.namespaces?.ipc === 'host' ? defaults.map(fromHostIpc) : defaults;
  const kept = shared.filter((mount) => mount !== undefined).filter((mount) => !targets.has(mount.destination));
  if (init) own.push({ destination: initTarget, type: 'bind', source: init, options: ['bind', 'ro'] });
  return [...kept, ...own];
}

/** With the host's IPC namespace come the host's shared memory and message queues, where it has them. */
function fromHostIpc(mount: RuntimeMount): RuntimeMount | undefined {
  const { destination } = mount;
  if (destination !== '/dev/shm' && destination !== '/dev/mqueue') return mount;
  if (!existsSync(destination)) return undefined;
  return { destination, type: 'bind', source: destination, options: ['rbind', 'nosuid', 'noexec', 'nodev'] };
}

function toMount(mount: MountSpec): RuntimeMount {
  if (!posix.isAbsolute(mount.target)) throw new Fault('invalid', `invalid mount path: '${mount.target}' mount path must be absolute`);
  const options = [...mount.options];
  if (mount.type === 'bind' && !options.includes('bind') && !options.includes('rbind')) options.unshift('rbind');
  return { destination: posix.normalize(mount.target), type: mount.type, source: mount.source ?? mount.type, options };
}

function buildLinux(spec: ContainerSpec, cgroup: string, host: SpecHost): RuntimeLinux {
  const privileged = spec.privileged ?? false;
  const devices = privileged ? hostDevices() : [];
  const rules = privileged ? [{ allow: true, access: 'rwm' }] : [...defaultDeviceRules];
  for (const device of spec.devices ?? []) {
    for (const node of resolveDevices(device)) {
      devices.push(node);
      rules.push(allowDevice(node, device.access));
    }
  }
  rules.push(...(spec.deviceRules ?? []).map(parseDeviceRule));
  const linux: RuntimeLinux = {
    namespaces: buildNamespaces(spec.namespaces ?? {}, host),
    devices,
    cgroupsPath: `/${cgroup}`,
    resources: runtimeResources(spec.resources ?? {}, rules),
    rootfsPropagation: rootPropagation(spec.mounts ?? []),
    maskedPaths: [...(spec.maskedPaths ?? (privileged ? [] : defaultMaskedPaths))],
    readonlyPaths: [...(spec.readonlyPaths ?? (privileged ? [] : defaultReadonlyPaths))],
  };
  const ownNetwork = (spec.namespaces?.net ?? 'private') === 'private';
  const sysctl = { ...(ownNetwork ? defaultNetworkSysctls : {}), ...spec.sysctls };
  if (Object.keys(sysctl).length > 0) linux.sysctl = sysctl;
  const profile = seccompOf(spec);
  if (profile) linux.seccomp = resolveSeccomp(profile, spec.process.capabilities ?? defaultCapabilities, host.seccomp);
  return linux;
}

function seccompOf(spec: ContainerSpec) {
  if (spec.seccomp === 'unconfined') return undefined;
  if (spec.seccomp !== undefined) return parseSeccompProfile(spec.seccomp);
  return spec.privileged ? undefined : defaultProfile;
}

/** A shared or slave bind works only if the root itself does not cut propagation. */
function rootPropagation(mounts: readonly MountSpec[]): string {
  const has = (...words: string[]): boolean => mounts.some((mount) => mount.options.some((option) => words.includes(option)));
  if (has('shared', 'rshared')) return 'shared';
  if (has('slave', 'rslave')) return 'rslave';
  return 'rprivate';
}

const namespaceTypes: readonly [keyof NamespaceSpec, RuntimeNamespaceType][] = [
  ['net', 'network'],
  ['ipc', 'ipc'],
  ['uts', 'uts'],
  ['pid', 'pid'],
  ['cgroup', 'cgroup'],
];

function buildNamespaces(spec: NamespaceSpec, host: SpecHost): RuntimeLinux['namespaces'] {
  if (spec.user !== undefined && spec.user !== 'host') throw new Fault('not-implemented', 'user namespaces are not supported');
  const namespaces: RuntimeLinux['namespaces'] = [{ type: 'mount' }];
  for (const [key, type] of namespaceTypes) {
    // As Docker: the cgroup namespace is the host's on cgroup v1.
    const wanted = spec[key] ?? (key === 'cgroup' && host.cgroupVersion === 1 ? 'host' : 'private');
    if (wanted === 'private') namespaces.push({ type });
    else if (wanted !== 'host') namespaces.push({ type, path: wanted });
  }
  return namespaces;
}

function findInit(): string {
  for (const path of initPrograms) {
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      continue;
    }
  }
  throw new Fault('precondition', `no init program is installed on this host: install tini (Debian: apt-get install tini) so that one of ${initPrograms.join(', ')} exists`);
}
