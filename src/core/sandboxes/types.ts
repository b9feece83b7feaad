/**
 * Sandboxes: what the containers of one pod share (or one Docker container's network): a network namespace
 * and, for pods, IPC and UTS namespaces, pinned as files; no process holds them.
 * Life: `create`, then `core/networks` attaches endpoints to its network namespace, then containers join it by
 * path; `remove` after they are gone. Sandboxes outlive the daemon.
 */
export interface Sandboxes {
  create(spec: SandboxSpec): Promise<Sandbox>;
  get(id: string): Sandbox | undefined;
  list(filter?: { owner?: string }): readonly Sandbox[];
  /** Unpins all, a moment after its answer; absent is fine. */
  remove(id: string): Promise<void>;
  /** Waits for what is being unpinned; sandboxes stay. */
  close(): Promise<void>;
}

export interface SandboxSpec {
  id: string;
  owner: string;
  labels?: Record<string, string>;
  hostname?: string;
  /** Which namespaces to make; the others are the container's own or the host's. */
  namespaces: readonly ('net' | 'ipc' | 'uts')[];
  /** Of the network namespace (`net.ipv4.ip_unprivileged_port_start`, …), beyond Docker's defaults, and of the IPC namespace (`kernel.shm_rmid_forced`). */
  sysctls?: Record<string, string>;
  /** Size of a pod's /dev/shm in bytes, mounted at `Sandbox.shmPath` where `ipc` is made. */
  shmSize?: number;
}

export interface Sandbox {
  id: string;
  owner: string;
  labels: Readonly<Record<string, string>>;
  createdAt: number;
  netPath?: string;
  ipcPath?: string;
  utsPath?: string;
  shmPath?: string;
}
