/** version, info, events, df, auth. */
import { readFileSync } from 'node:fs';
import { arch, cpus, hostname, release, totalmem } from 'node:os';
import type { EventsOptions } from '#api/docker/calls.ts';
import type { AuthConfig } from '#api/docker/common.ts';
import type { EventMessage } from '#api/docker/events.ts';
import type * as api from '#api/docker/system.ts';
import { newestApi, oldestApi, showApi } from '#api/docker/versions.ts';
import { hostPlatform } from '#core/images/platform.ts';
import { isoTime } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import type { ContainerContext } from '../containers/context.ts';
import { listContainers } from '../containers/list.ts';
import { logDrivers } from '../containers/log-config.ts';
import { isRunning } from '../containers/record.ts';
import { listImages } from '../images/list.ts';
import { layerBytes } from '../images/remove.ts';
import { registryAuth } from '../images/transfer.ts';
import { shownDriver } from '../networks/backend.ts';
import { show as showVolume } from '../volumes/backend.ts';

const indexServer = 'https://index.docker.io/v1/';

/** Names that the kernel gives to architectures. */
const kernelArch: Record<string, string> = { x64: 'x86_64', arm64: 'aarch64', ia32: 'i686', ppc64: 'ppc64le' };

export class SystemBackend {
  readonly #context: ContainerContext;
  /** Identity of the instance. */
  readonly #id: string;

  constructor(context: ContainerContext, id: string) {
    this.#context = context;
    this.#id = id;
  }

  async version(): Promise<api.VersionResponse> {
    const { host } = this.#context;
    const details = { ApiVersion: showApi(newestApi), MinAPIVersion: showApi(oldestApi), Os: 'linux', Arch: hostPlatform().architecture, KernelVersion: release() };
    return Promise.resolve({
      Platform: { Name: 'Gantry' },
      Components: [
        { Name: 'Engine', Version: host.version, Details: { ...details, GitCommit: host.commit ?? '', GoVersion: '', BuildTime: '', Experimental: 'false' } },
        { Name: host.runtime.name, Version: host.runtime.version ?? '', Details: { GitCommit: '' } },
        ...(host.conmon ? [{ Name: 'conmon', Version: host.conmon.version ?? '', Details: { GitCommit: '' } }] : []),
      ],
      Version: host.version,
      ...details,
      GitCommit: host.commit ?? '',
      GoVersion: `node ${process.version}`,
      BuildTime: '',
    });
  }

  async info(): Promise<api.InfoResponse> {
    const { set, images, networks, events, host, clock, root } = this.#context;
    const records = set.list();
    const paused = records.filter((r) => r.state.status === 'paused').length;
    const running = records.filter(isRunning).length - paused;
    const mirrors = [...(host.registryMirrors ?? [])];
    return Promise.resolve({
      ID: this.#id,
      Containers: records.length,
      ContainersRunning: running,
      ContainersPaused: paused,
      ContainersStopped: records.length - running - paused,
      Images: images.list().length,
      Driver: 'overlay2',
      DriverStatus: [['Backing Filesystem', 'overlayfs'], ['Supports d_type', 'true']],
      Plugins: { Volume: ['local'], Network: networks.drivers().map(({ name }) => shownDriver(name)), Authorization: null, Log: [...logDrivers] },
      ...hostAbilities,
      Debug: false,
      NFd: 0,
      NGoroutines: 0,
      SystemTime: isoTime(clock.now()),
      LoggingDriver: 'json-file',
      CgroupDriver: host.cgroupDriver,
      CgroupVersion: String(host.cgroupVersion),
      NEventsListener: events.listeners,
      KernelVersion: release(),
      ...operatingSystem(),
      OSType: 'linux',
      Architecture: kernelArch[arch()] ?? arch(),
      IndexServerAddress: indexServer,
      RegistryConfig: registryConfig(mirrors, host.insecureRegistries ?? []),
      NCPU: cpus().length,
      MemTotal: totalmem(),
      DockerRootDir: root,
      HttpProxy: '',
      HttpsProxy: '',
      NoProxy: '',
      Name: hostname(),
      Labels: [],
      ExperimentalBuild: false,
      ServerVersion: host.version,
      Runtimes: { [host.runtime.name]: { path: host.runtime.path } },
      DefaultRuntime: host.runtime.name,
      Swarm: { NodeID: '', NodeAddr: '', LocalNodeState: 'inactive', ControlAvailable: false, Error: '', RemoteManagers: null },
      LiveRestoreEnabled: true,
      Isolation: '',
      InitBinary: 'docker-init',
      ContainerdCommit: { ID: '' },
      RuncCommit: { ID: host.runtime.version ?? '' },
      InitCommit: { ID: '' },
      SecurityOptions: ['name=seccomp,profile=builtin', ...(host.cgroupVersion === 2 ? ['name=cgroupns'] : [])],
      Warnings: null,
    });
  }

  async diskUsage(types: readonly string[]): Promise<api.DiskUsageResponse> {
    const wanted = (type: string): boolean => types.length === 0 || types.includes(type);
    const { volumes } = this.#context;
    const usage = async (name: string): Promise<{ Size: number; RefCount: number }> => ({ Size: (await volumes.usage(name)).bytes, RefCount: volumes.users(name).length });
    return {
      LayersSize: wanted('image') ? layerBytes(this.#context) : 0,
      Images: wanted('image') ? listImages(this.#context, { all: true, filters: {}, sharedSize: true }) : null,
      Containers: wanted('container') ? await listContainers(this.#context, { all: true, limit: 0, size: true, filters: {} }) : null,
      Volumes: wanted('volume') ? await Promise.all(volumes.list().map(async (v) => ({ ...showVolume(v), UsageData: await usage(v.name) }))) : null,
      BuildCache: wanted('build-cache') ? [] : null,
    };
  }

  async auth(auth: AuthConfig): Promise<api.AuthResponse> {
    if (!auth.identitytoken && (!auth.username || !auth.password)) throw new Fault('unauthenticated', 'username and password are needed to log in');
    const { identityToken = '' } = await this.#context.images.login(auth.serveraddress || indexServer, registryAuth(auth) ?? {});
    return { Status: 'Login Succeeded', IdentityToken: identityToken };
  }

  events(options: EventsOptions, signal: AbortSignal): AsyncIterable<EventMessage> {
    return this.#context.events.read(options, signal);
  }
}

const hostAbilities = {
  MemoryLimit: true,
  SwapLimit: true,
  CpuCfsPeriod: true,
  CpuCfsQuota: true,
  CPUShares: true,
  CPUSet: true,
  PidsLimit: true,
  OomKillDisable: false,
  IPv4Forwarding: true,
} as const;

function operatingSystem(): { OperatingSystem: string; OSVersion: string } {
  let text = '';
  try {
    text = readFileSync('/etc/os-release', 'utf8');
  } catch {
    // a host without the file has no name
  }
  const value = (key: string): string => new RegExp(`^${key}="?([^"\\n]*)"?$`, 'm').exec(text)?.[1] ?? '';
  return { OperatingSystem: value('PRETTY_NAME') || 'Linux', OSVersion: value('VERSION_ID') };
}

function registryConfig(mirrors: string[], insecure: readonly string[]): api.InfoResponse['RegistryConfig'] {
  const index = (name: string, secure: boolean, official: boolean): api.InfoResponse['RegistryConfig']['IndexConfigs'][string] => ({ Name: name, Mirrors: official ? mirrors : [], Secure: secure, Official: official });
  return {
    InsecureRegistryCIDRs: ['127.0.0.0/8', '::1/128'],
    IndexConfigs: { 'docker.io': index('docker.io', true, true), ...Object.fromEntries(insecure.map((name) => [name, index(name, false, false)])) },
    Mirrors: mirrors,
  };
}
