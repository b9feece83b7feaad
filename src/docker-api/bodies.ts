/** The shapes of request bodies (docker.md §1.7). */
import type { Fields, Shape } from './check.ts';
import { nameSet, stringMap, strings, words } from './check.ts';

const size: Shape = { list: 'integer' };

const health: Fields = { Test: strings, Interval: 'integer', Timeout: 'integer', StartPeriod: 'integer', StartInterval: 'integer', Retries: 'integer' };

/** What a container's config and a committed image's have. */
export const configFields: Fields = {
  Hostname: 'string', Domainname: 'string', User: 'string', AttachStdin: 'boolean', AttachStdout: 'boolean', AttachStderr: 'boolean',
  ExposedPorts: nameSet, Tty: 'boolean', OpenStdin: 'boolean', StdinOnce: 'boolean', Env: strings, Cmd: words, Healthcheck: { fields: health },
  ArgsEscaped: 'boolean', Image: 'string', Volumes: nameSet, WorkingDir: 'string', Entrypoint: words, NetworkDisabled: 'boolean',
  MacAddress: 'string', OnBuild: strings, Labels: stringMap, StopSignal: 'string', StopTimeout: 'integer', Shell: strings,
};

const throttles: Shape = { list: { fields: { Path: 'string', Rate: 'number' } } };

const resources: Fields = {
  CpuShares: 'integer', Memory: 'integer', NanoCpus: 'integer', CgroupParent: 'string', BlkioWeight: 'integer',
  BlkioWeightDevice: { list: { fields: { Path: 'string', Weight: 'integer' } } },
  BlkioDeviceReadBps: throttles, BlkioDeviceWriteBps: throttles, BlkioDeviceReadIOps: throttles, BlkioDeviceWriteIOps: throttles,
  CpuPeriod: 'integer', CpuQuota: 'integer', CpuRealtimePeriod: 'integer', CpuRealtimeRuntime: 'integer', CpusetCpus: 'string', CpusetMems: 'string',
  Devices: { list: { fields: { PathOnHost: 'string', PathInContainer: 'string', CgroupPermissions: 'string' } } },
  DeviceCgroupRules: strings, DeviceRequests: { list: 'any' }, KernelMemory: 'integer', KernelMemoryTCP: 'integer', MemoryReservation: 'integer',
  MemorySwap: 'integer', MemorySwappiness: 'integer', OomKillDisable: 'boolean', PidsLimit: 'integer',
  Ulimits: { list: { fields: { Name: 'string', Soft: 'integer', Hard: 'integer' } } },
  CpuCount: 'integer', CpuPercent: 'integer', IOMaximumIOps: 'integer', IOMaximumBandwidth: 'integer',
};

const restartPolicy: Shape = { fields: { Name: 'string', MaximumRetryCount: 'integer' } };

const mount: Fields = {
  Type: 'string', Source: 'string', Target: 'string', ReadOnly: 'boolean', Consistency: 'string',
  BindOptions: { fields: { Propagation: 'string', NonRecursive: 'boolean', CreateMountpoint: 'boolean', ReadOnlyNonRecursive: 'boolean', ReadOnlyForceRecursive: 'boolean' } },
  VolumeOptions: { fields: { NoCopy: 'boolean', Labels: stringMap, Subpath: 'string', DriverConfig: { fields: { Name: 'string', Options: stringMap } } } },
  ImageOptions: { fields: { Subpath: 'string' } },
  TmpfsOptions: { fields: { SizeBytes: 'integer', Mode: 'integer', Options: { list: strings } } },
};

const hostConfig: Fields = {
  ...resources,
  Binds: strings, ContainerIDFile: 'string', LogConfig: { fields: { Type: 'string', Config: stringMap } }, NetworkMode: 'string',
  PortBindings: { map: { list: { fields: { HostIp: 'string', HostPort: 'string' } } } }, RestartPolicy: restartPolicy, AutoRemove: 'boolean',
  VolumeDriver: 'string', VolumesFrom: strings, Mounts: { list: { fields: mount } }, ConsoleSize: size, Annotations: stringMap, CapAdd: strings,
  CapDrop: strings, CgroupnsMode: 'string', Dns: strings, DnsOptions: strings, DnsSearch: strings, ExtraHosts: strings, GroupAdd: strings,
  IpcMode: 'string', Cgroup: 'string', Links: strings, OomScoreAdj: 'integer', PidMode: 'string', Privileged: 'boolean', PublishAllPorts: 'boolean',
  ReadonlyRootfs: 'boolean', SecurityOpt: strings, StorageOpt: stringMap, Tmpfs: stringMap, UTSMode: 'string', UsernsMode: 'string',
  ShmSize: 'integer', Sysctls: stringMap, Runtime: 'string', Isolation: 'string', Init: 'boolean', MaskedPaths: strings, ReadonlyPaths: strings,
};

const endpoint: Shape = {
  fields: {
    IPAMConfig: { fields: { IPv4Address: 'string', IPv6Address: 'string', LinkLocalIPs: strings } },
    Links: strings, Aliases: strings, MacAddress: 'string', DriverOpts: stringMap, GwPriority: 'integer',
  },
};

export const createFields: Fields = {
  ...configFields,
  HostConfig: { fields: hostConfig },
  NetworkingConfig: { fields: { EndpointsConfig: { map: endpoint } } },
};

export const updateFields: Fields = { ...resources, RestartPolicy: restartPolicy };

export const execCreateFields: Fields = {
  User: 'string', Privileged: 'boolean', Tty: 'boolean', ConsoleSize: size, AttachStdin: 'boolean', AttachStdout: 'boolean', AttachStderr: 'boolean',
  DetachKeys: 'string', Env: strings, WorkingDir: 'string', Cmd: words,
};

export const execStartFields: Fields = { Detach: 'boolean', Tty: 'boolean', ConsoleSize: size };

export const networkCreateFields: Fields = {
  Name: 'string', CheckDuplicate: 'boolean', Driver: 'string', Scope: 'string', EnableIPv4: 'boolean', EnableIPv6: 'boolean',
  IPAM: {
    fields: {
      Driver: 'string', Options: stringMap,
      Config: { list: { fields: { Subnet: 'string', IPRange: 'string', Gateway: 'string', AuxiliaryAddresses: stringMap } } },
    },
  },
  Internal: 'boolean', Attachable: 'boolean', Ingress: 'boolean', ConfigOnly: 'boolean', ConfigFrom: { fields: { Network: 'string' } },
  Options: stringMap, Labels: stringMap,
};

export const networkConnectFields: Fields = { Container: 'string', EndpointConfig: endpoint };

export const networkDisconnectFields: Fields = { Container: 'string', Force: 'boolean' };

export const volumeCreateFields: Fields = { Name: 'string', Driver: 'string', DriverOpts: stringMap, Labels: stringMap };

export const authFields: Fields = {
  username: 'string', password: 'string', auth: 'string', email: 'string', serveraddress: 'string', identitytoken: 'string', registrytoken: 'string',
};
