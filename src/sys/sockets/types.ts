/** Sockets of any process, told by their two ends. */
export interface Sockets {
  /**
   * Breaks a TCP connection over IPv4 by ending the socket at `local`, whose owner learns of it at once, in the network
   * namespace at `path` or in this process's. False where there is no such socket, or the kernel cannot.
   */
  break(local: SocketEnd, remote: SocketEnd, path?: string): boolean;
}

export interface SocketEnd {
  address: string;
  port: number;
}
