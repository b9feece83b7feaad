/**
 * OCI runtime configuration (runtime-spec v1.0/1.1, `config.json`), the Linux part that Gantry writes. Pure data;
 * field names are the wire's.
 */
/** A signal's number: what a container is ended with. The image specification's name for it. */
export const annotationStopSignal = 'org.opencontainers.image.stopSignal';
/** Seconds until SIGKILL then; negative: for ever. */
export const annotationStopTimeout = 'gantry.stop-timeout';

export interface RuntimeConfig {
  ociVersion: string;
  root: { path: string; readonly?: boolean };
  mounts: RuntimeMount[];
  process: RuntimeProcess;
  hostname?: string;
  linux: RuntimeLinux;
  annotations?: Record<string, string>;
}

export interface RuntimeMount {
  destination: string;
  type?: string;
  source?: string;
  options?: string[];
}

export interface RuntimeProcess {
  terminal?: boolean;
  consoleSize?: { height: number; width: number };
  cwd: string;
  env: string[];
  args: string[];
  user: { uid: number; gid: number; umask?: number; additionalGids?: number[] };
  capabilities?: RuntimeCapabilities;
  noNewPrivileges?: boolean;
  oomScoreAdj?: number;
  rlimits?: RuntimeRlimit[];
  apparmorProfile?: string;
}

export interface RuntimeCapabilities {
  bounding?: string[];
  effective?: string[];
  permitted?: string[];
  inheritable?: string[];
  ambient?: string[];
}

export interface RuntimeRlimit {
  type: string;
  soft: number;
  hard: number;
}

export type RuntimeNamespaceType = 'pid' | 'network' | 'mount' | 'ipc' | 'uts' | 'user' | 'cgroup' | 'time';

export interface RuntimeLinux {
  namespaces: { type: RuntimeNamespaceType; path?: string }[];
  devices?: RuntimeDevice[];
  cgroupsPath?: string;
  resources?: RuntimeResources;
  sysctl?: Record<string, string>;
  seccomp?: RuntimeSeccomp;
  rootfsPropagation?: string;
  maskedPaths?: string[];
  readonlyPaths?: string[];
}

export interface RuntimeDevice {
  type: 'c' | 'b' | 'p';
  path: string;
  major?: number;
  minor?: number;
  fileMode?: number;
  uid?: number;
  gid?: number;
}

export interface RuntimeDeviceRule {
  allow: boolean;
  type?: 'a' | 'c' | 'b';
  major?: number;
  minor?: number;
  access?: string;
}

export interface RuntimeResources {
  devices?: RuntimeDeviceRule[];
  memory?: { limit?: number; reservation?: number; swap?: number; swappiness?: number; disableOOMKiller?: boolean };
  cpu?: {
    shares?: number;
    quota?: number;
    period?: number;
    realtimeRuntime?: number;
    realtimePeriod?: number;
    cpus?: string;
    mems?: string;
  };
  pids?: { limit: number };
  blockIO?: { weight?: number };
  hugepageLimits?: { pageSize: string; limit: number }[];
}

export interface RuntimeSeccomp {
  defaultAction: string;
  defaultErrnoRet?: number;
  architectures?: string[];
  flags?: string[];
  syscalls?: RuntimeSyscall[];
}

export interface RuntimeSyscall {
  names: string[];
  action: string;
  errnoRet?: number;
  args?: RuntimeSyscallArg[];
}

export interface RuntimeSyscallArg {
  index: number;
  value: number;
  valueTwo?: number;
  op: string;
}
