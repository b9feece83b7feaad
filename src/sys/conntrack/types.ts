/**
 * Connections as the kernel tracks them, one table for each network namespace. What address translation decided for a
 * connection's first packet holds for all others as long as it is tracked; one that is forgotten is decided anew at
 * its next packet.
 */
export interface Conntrack {
  /**
   * Forgets the IPv4 connections that were led elsewhere (their destination was changed) and that `test` picks, in the namespace
   * pinned at `path` or in this process's; how many. Reading takes some milliseconds for ten thousand of them.
   */
  forget(test: (connection: LedConnection) => boolean, path?: string): number;
}

export interface LedConnection {
  protocol: 'tcp' | 'udp' | 'sctp';
  source: Endpoint;
  /** What the client meant. */
  destination: Endpoint;
  /** Where it was led. */
  backend: Endpoint;
  /** `new`: nothing came back yet; `open`: data may pass both ways; `ending`: what is left of one that ended. */
  phase: 'new' | 'open' | 'ending';
}

export interface Endpoint {
  address: string;
  port: number;
}
