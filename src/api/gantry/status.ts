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
  /** The agent's process; the daemon's where the node is in it; null where no agent runs. */
  pid: number | null;
  /** In the cluster: pods of others reach it there. */
  address: string;
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

/** Lines that a starting daemon (or agent) writes for who started it, one JSON object each. */
export type StartMessage<Ready = DaemonFile> = { stage: string } | { ready: Ready } | { error: string };
