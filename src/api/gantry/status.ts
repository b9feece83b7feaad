/** What `./gantry status -o json` prints, and the control socket answers. */
export interface Status {
  daemon: { pid: number; version: string; root: string; instance: string; startedAt: string; memoryBytes: number };
  docker: { socket: string };
  api: { url: string; kubeconfig: string };
  nodes: NodeStatus[];
  containers: { running: number; total: number };
  pods: { running: number; total: number };
  images: number;
  disk: { totalBytes: number; availableBytes: number };
}

export interface NodeStatus {
  name: string;
  ready: boolean;
  /** The agent's process; the daemon's where it is in-process. */
  pid: number;
}

/** `<root>/run/daemon.json`: where a running daemon is found. */
export interface DaemonFile {
  pid: number;
  /** Clock ticks since boot at which it began: tells it from a later process of the same pid. */
  startTime: string;
  control: string;
  docker: string;
  apiUrl: string;
  kubeconfig: string;
}

/** Lines that a starting daemon writes for `up` to show, one JSON object each. */
export type StartMessage = { stage: string } | { ready: DaemonFile } | { error: string };
