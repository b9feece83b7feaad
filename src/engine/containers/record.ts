/** What is kept of a container in the store, and questions about it that need nothing else. */
import type { ContainerConfig } from '#api/oci/image.ts';
import type { ContainerStateName } from '#api/docker/containers.ts';
import type { HostConfig } from '#api/docker/host-config.ts';
import type { EndpointSettings } from '#api/docker/networks.ts';

export interface ContainerRecord {
  /** 64 hex digits. */
  id: string;
  /** Without the leading slash. */
  name: string;
  createdAt: number;
  /** The image as its user named it, and its id then. */
  image: string;
  imageId: string;
  config: ContainerConfig;
  hostConfig: HostConfig;
  /** Network (name or id, as asked) -> the endpoint wished for. Empty for `host`, `none` and `container:`. */
  endpoints: Readonly<Record<string, EndpointSettings>>;
  mounts: readonly MountRecord[];
  state: StateRecord;
}

export interface StateRecord {
  status: ContainerStateName;
  pid: number;
  exitCode: number;
  error: string;
  oomKilled: boolean;
  startedAt?: number;
  finishedAt?: number;
  /** By policy, since the last start by hand. */
  restartCount: number;
  /** Stopped by hand: no policy starts it now, `unless-stopped` not at the engine's start either. */
  manuallyStopped: boolean;
}

/** One mount of a container, resolved at its creation. */
export interface MountRecord {
  type: 'bind' | 'volume' | 'tmpfs';
  target: string;
  /** Host path of a bind. */
  source?: string;
  /** Name of a volume. */
  volume?: string;
  /** Path below the volume's root. */
  subpath?: string;
  anonymous?: boolean;
  readOnly: boolean;
  /** `rprivate` where empty. */
  propagation: string;
  /** Options as they were written, for inspect. */
  mode: string;
  /** A bind without the mounts below its source. */
  nonRecursive?: boolean;
  /** Read-only itself; what is mounted below its source stays as it is. */
  readOnlyNonRecursive?: boolean;
  /** Options of a tmpfs. */
  tmpfs?: readonly string[];
}

export const firstState: StateRecord = {
  status: 'created',
  pid: 0,
  exitCode: 0,
  error: '',
  oomKilled: false,
  restartCount: 0,
  manuallyStopped: false,
};

export function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12);
}

/** A process exists. */
export function isAlive(record: ContainerRecord): boolean {
  return record.state.status === 'running' || record.state.status === 'paused';
}

/** Alive, or about to be by its policy: what Docker calls Running. */
export function isRunning(record: ContainerRecord): boolean {
  return isAlive(record) || record.state.status === 'restarting';
}

/** The container that a mode of namespaces names (`container:web`); undefined for any other mode. */
export function otherOf(mode: string | undefined): string | undefined {
  return mode?.startsWith('container:') ? mode.slice('container:'.length) : undefined;
}

/** Path and arguments of the main process. */
export function commandOf(config: ContainerConfig): string[] {
  return [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
}
