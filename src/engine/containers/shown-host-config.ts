/** A HostConfig as inspect shows it: each field there, in moby's order, zero where nobody set it. */
import type { HostConfig } from '#api/docker/host-config.ts';
import { defaultMaskedPaths, defaultReadonlyPaths } from '#core/containers/spec/defaults.ts';

const zero: HostConfig = {
  Binds: null, ContainerIDFile: '', LogConfig: {}, NetworkMode: '', PortBindings: {}, RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
  AutoRemove: false, VolumeDriver: '', VolumesFrom: null, ConsoleSize: [0, 0], CapAdd: null, CapDrop: null, CgroupnsMode: '', Dns: [], DnsOptions: [],
  DnsSearch: [], ExtraHosts: null, GroupAdd: null, IpcMode: '', Cgroup: '', Links: null, OomScoreAdj: 0, PidMode: '', Privileged: false,
  PublishAllPorts: false, ReadonlyRootfs: false, SecurityOpt: null, UTSMode: '', UsernsMode: '', ShmSize: 0, Runtime: '', Isolation: '',
  CpuShares: 0, Memory: 0, NanoCpus: 0, CgroupParent: '', BlkioWeight: 0, BlkioWeightDevice: [], BlkioDeviceReadBps: [], BlkioDeviceWriteBps: [],
  BlkioDeviceReadIOps: [], BlkioDeviceWriteIOps: [], CpuPeriod: 0, CpuQuota: 0, CpuRealtimePeriod: 0, CpuRealtimeRuntime: 0, CpusetCpus: '',
  CpusetMems: '', Devices: [], DeviceCgroupRules: null, DeviceRequests: null, MemoryReservation: 0, MemorySwap: 0, MemorySwappiness: null,
  OomKillDisable: null, PidsLimit: null, Ulimits: [], CpuCount: 0, CpuPercent: 0, IOMaximumIOps: 0, IOMaximumBandwidth: 0,
};

export function shownHostConfig(host: HostConfig): HostConfig {
  const set = Object.fromEntries(Object.entries(host).filter(([, value]) => value !== null && value !== undefined));
  return {
    ...zero,
    ...set,
    MaskedPaths: host.MaskedPaths ?? (host.Privileged ? null : [...defaultMaskedPaths]),
    ReadonlyPaths: host.ReadonlyPaths ?? (host.Privileged ? null : [...defaultReadonlyPaths]),
  };
}
