/**
 * Containers: processes in namespaces and cgroups, started by an OCI runtime (crun) and supervised by conmon.
 * Both doors use them: each `docker start` and each attempt of a pod's container is one container here.
 *
 * Life: `create` writes the bundle (OCI spec) and has conmon run the runtime's `create`: the process exists
 * and waits (*created*); clients may attach so that no output is lost. `start` lets it go (*running*). When it
 * ends, conmon writes the exit file (*exited*); `wait` resolves, the observer is told. `remove` deletes the
 * runtime's state and the bundle (their files a moment after its answer), not the log nor the snapshot: those are the caller's.
 * Containers, their logs and exit codes outlive the daemon: `openContainers` finds them again.
 */
import type { LogLimits } from '#core/logs/files.ts';
import type { Fault } from '#lib/errors.ts';
import type { CgroupLimits, CgroupUsage } from '#sys/cgroup/types.ts';

export interface Containers {
  /**
   * Makes a container ready to start. Failures: `invalid` with `details.exitCode` 126 or 127 where the command
   * cannot run (messages keep the words that clients look for: "executable file not found", "permission
   * denied", "no such file or directory"), `already-exists`, `internal`.
   */
  create(spec: ContainerSpec, options?: CreateOptions): Promise<ContainerStatus>;
  start(id: string): Promise<ContainerStatus>;
  get(id: string): ContainerStatus | undefined;
  list(filter?: { owner?: string }): readonly ContainerStatus[];
  /** Resolves with the exit, at once if it has exited. */
  wait(id: string, signal?: AbortSignal): Promise<Exit>;
  /** `conflict` if it does not run. `all`: each process of the container. */
  kill(id: string, signal: number, options?: { all?: boolean }): Promise<void>;
  /** `signal`, then after `timeoutMs` SIGKILL; Infinity waits for ever. Resolves with the exit. */
  stop(id: string, options: { signal: number; timeoutMs: number }): Promise<Exit>;
  pause(id: string): Promise<void>;
  resume(id: string): Promise<void>;
  /** Kills if it runs; absent is fine. */
  remove(id: string): Promise<void>;
  /** Connects to the main process's streams, as one of any number of clients (attachments.ts). Output from before is in the log. */
  attach(id: string): Promise<Streams>;
  resize(id: string, size: TerminalSize): Promise<void>;
  exec(id: string, spec: ExecSpec): Promise<ExecSession>;
  /** Host pids of its processes. */
  processes(id: string): number[];
  usage(id: string): CgroupUsage | undefined;
  update(id: string, limits: CgroupLimits): Promise<void>;
  /** Told of each change of state, in order, for each container, also of those that changed while nobody looked. */
  observe(observer: (event: ContainerEvent) => void): () => void;
  close(): Promise<void>;
}

export interface CreateOptions {
  /** Called when the runtime is at work: the time to do what needs this thread and not the process, which takes longer to make. */
  onMaking?: () => void;
}

export type ContainerState = 'created' | 'running' | 'paused' | 'exited';

export interface ContainerStatus {
  id: string;
  owner: string;
  state: ContainerState;
  pid?: number;
  createdAt: number;
  startedAt?: number;
  exit?: Exit;
  labels: Readonly<Record<string, string>>;
  logPath?: string;
}

export interface Exit {
  /** Exit status; 128 + signal where a signal ended it. */
  code: number;
  finishedAt: number;
  oomKilled: boolean;
}

export interface ContainerEvent {
  type: 'created' | 'started' | 'exited' | 'paused' | 'resumed' | 'oom' | 'removed';
  status: ContainerStatus;
}

export interface ContainerSpec {
  /** [a-zA-Z0-9_.-]+, unique in the instance. */
  id: string;
  /** Whose it is: `docker` or `kubelet`. */
  owner: string;
  labels?: Record<string, string>;
  /** For the runtime, which takes some as settings of its own. */
  annotations?: Record<string, string>;
  /** The mounted root file system. */
  rootfs: string;
  readonlyRootfs?: boolean;
  process: ProcessSpec;
  hostname?: string;
  /** In order; Docker's default mounts (/proc, /dev, …) come first by themselves. */
  mounts?: readonly MountSpec[];
  namespaces?: NamespaceSpec;
  devices?: readonly DeviceSpec[];
  /** cgroup device rules beyond the defaults (`c 1:3 rwm`). */
  deviceRules?: readonly string[];
  resources?: ResourceSpec;
  /** The cgroup, as a name for sys/cgroup; default `<instance>/<owner>/<id>`. */
  cgroup?: string;
  sysctls?: Record<string, string>;
  /** All capabilities, all devices, no seccomp, no masked paths. */
  privileged?: boolean;
  /** undefined: the built-in default profile; 'unconfined'; or a profile (Docker's JSON form). */
  seccomp?: 'unconfined' | object;
  /** undefined: defaults. */
  maskedPaths?: readonly string[];
  readonlyPaths?: readonly string[];
  shmSize?: number;
  /** How it is ended by `down`, which knows no more of it than its bundle; SIGTERM where undefined. */
  stopSignal?: number;
  /** Until SIGKILL then; negative: for ever. 10 s where undefined. */
  stopTimeoutSeconds?: number;
  /** Runs a small init (tini, catatonit) as PID 1; `precondition` where the host has none. */
  init?: boolean;
  /** Keep stdin open for attach; `stdinOnce`, without a terminal, closes it when the input of one client has ended. */
  stdin?: boolean;
  stdinOnce?: boolean;
  /** conmon's k8s-file log; none where undefined. */
  logPath?: string;
  /** Looked after while it runs; a file may be larger by what is written between two looks. One file of any size where undefined. */
  logLimits?: LogLimits;
  oomScoreAdj?: number;
}

export interface ProcessSpec {
  args: readonly string[];
  /** `NAME=value`. */
  env: readonly string[];
  cwd: string;
  terminal?: boolean;
  size?: TerminalSize;
  /** Resolved ids: see `core/containers/user.ts` for names in a root file system. */
  user: { uid: number; gid: number; additionalGids?: readonly number[] };
  /** `CAP_` names; undefined: Docker's default set. Only what a root process keeps. */
  capabilities?: readonly string[];
  noNewPrivileges?: boolean;
  rlimits?: readonly { type: string; soft: number; hard: number }[];
  apparmorProfile?: string;
}

export interface TerminalSize {
  rows: number;
  columns: number;
}

export interface MountSpec {
  type: 'bind' | 'tmpfs' | 'proc' | 'sysfs' | 'cgroup' | 'devpts' | 'mqueue';
  source?: string;
  target: string;
  options: readonly string[];
}

/**
 * A path joins that namespace, `host` shares the host's, `private` makes a new one. Defaults are private, but the
 * host's for `user` (the only one supported) and, on cgroup v1, for `cgroup`, as Docker has it.
 */
export interface NamespaceSpec {
  net?: string;
  ipc?: string;
  uts?: string;
  pid?: string;
  cgroup?: string;
  user?: string;
}

export interface DeviceSpec {
  hostPath: string;
  path: string;
  /** Some of `rwm`. */
  access: string;
}

export interface ResourceSpec extends CgroupLimits {
  blkioWeight?: number;
  oomKillDisable?: boolean;
  memorySwappiness?: number;
  cpuRealtimePeriod?: number;
  cpuRealtimeRuntime?: number;
  hugepageLimits?: readonly { pageSize: string; limit: number }[];
}

/** The streams of a process. With a terminal, all output is stdout. */
export interface Streams {
  /** Each chunk in the order that conmon passed it on. Until a handler is set, output is kept, and then waits. */
  onOutput(handler: (stream: 'stdout' | 'stderr', data: Buffer) => void): void;
  /** Called once: no more output will come. `cause`: there would have been more, and the client was cut off. */
  onEnd(handler: (cause?: Fault) => void): void;
  write(data: Uint8Array): Promise<void>;
  /** No more input will come. An exec's stdin ends; of a main process see `stdinOnce`: where its stdin stays open, it is these streams that end. */
  endInput(): void;
  pause(): void;
  resume(): void;
  /** Goes away; the process stays. */
  close(): void;
}

export interface ExecSpec {
  process: ProcessSpec;
  stdin?: boolean;
  privileged?: boolean;
  /**
   * Whether somebody will attach; a detached exec's output is dropped. One that is attached without a terminal has pipes
   * that end with the daemon; others run on without it.
   */
  attach: boolean;
}

export interface ExecSession {
  /** Host pid. */
  pid: number;
  /** Present with `attach`; no output is lost. It ends with the process, whoever else holds its pipes. */
  streams?: Streams;
  /** With `attach`, all output was given before. */
  exited: Promise<{ code: number }>;
  resize(size: TerminalSize): Promise<void>;
  kill(signal: number): Promise<void>;
}
