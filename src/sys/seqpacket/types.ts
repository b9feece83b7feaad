/**
 * AF_UNIX SOCK_SEQPACKET clients (conmon's attach socket), which Node cannot open: each message is one
 * packet. Readiness comes from epoll on one worker thread shared by all connections.
 */
export interface SeqPackets {
  /** Connects; a path longer than 107 bytes is reached through a descriptor of its directory. */
  connect(path: string): Promise<SeqPacket>;
}

export interface SeqPacket {
  /** Called with each packet, in order; at once for those that came before it was set. */
  onPacket(handler: (packet: Buffer) => void): void;
  /** Called once: the peer is gone, and its last packet was taken by a handler; or `close` was called. */
  onClose(handler: () => void): void;
  /** Sends one packet (at most 32 KiB); resolves when the kernel took it. At most 256 wait at a time. */
  write(packet: Uint8Array): Promise<void>;
  /** No more will be sent: the container's stdin ends. */
  shutdownWrite(): void;
  /** Stops and starts reading, for back-pressure. */
  pause(): void;
  resume(): void;
  close(): void;
}
