/**
 * Namespaces that outlive their creator: network, IPC and UTS namespaces pinned by a bind mount on a file.
 * A pod's or container's sandbox is such a set of files; no process holds it open.
 */
export type PinnedKind = 'net' | 'ipc' | 'uts';

export interface NetNamespaces {
  /** Makes a new namespace of the kind and pins it at `path` (the file is created). In a new network namespace `lo` is up. */
  pin(kind: PinnedKind, path: string, options?: { hostname?: string; sysctls?: Readonly<Record<string, string>> }): void;
  /** Lets go of a pinned namespace and removes the file; absent is fine. */
  unpin(path: string): void;
  /** `unpin` on another thread: letting go of a mount waits for the kernel. */
  unpinAside(path: string): Promise<void>;
  isPinned(path: string): boolean;
  /**
   * Runs a synchronous `fn` inside the network namespace at `path` (`/proc/PID/ns/net` too) and comes back.
   * A socket that `fn` makes stays in that namespace.
   */
  within<T>(path: string, fn: () => T): T;
  /**
   * A socket of the namespace at `path` (of the host where undefined), bound and, for tcp, listening, as a
   * descriptor for `net.Server.listen({fd})` or `dgram.Socket.bind({fd})`. The port is the real one.
   */
  listen(path: string | undefined, protocol: 'tcp' | 'udp', address: string, port: number): { fd: number; port: number };
  /**
   * A TCP connection made inside the namespace, as a connected non-blocking descriptor for `new net.Socket({fd})`.
   * Without a signal it waits as long as TCP does (minutes, where nobody answers).
   */
  connect(path: string | undefined, address: string, port: number, signal?: AbortSignal): Promise<{ fd: number }>;
  /** Begins a TCP connection from this process's namespace that is only to tell whether somebody answers. */
  knock(address: string, port: number): Knock;
}

/** A connection that is being tried. */
export interface Knock {
  /** What the kernel knows by now, however late this process asks. */
  state(): 'waiting' | 'open' | 'refused' | 'unreachable';
  close(): void;
}
