import { createSocket } from 'node:dgram';
import { closeSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Clock } from '#lib/clock.ts';
import { serveDns } from '#lib/dns/server.ts';
import type { Kernel } from '#sys/types.ts';
import { resolveName, type NameScope } from './resolver.ts';

export const nameServerAddress = '127.0.0.11';
const table = 'gantry_dns';

/** The DNS server of one sandbox, at 127.0.0.11:53 inside its namespace. */
export class SandboxNames {
  /** Ends it; the namespace may be gone already. */
  readonly close: () => void;

  constructor(kernel: Kernel, namespace: string, scope: NameScope, clock: Clock) {
    // other ports than 53, which a server in the container may want for itself; rules inside lead there
    const udp = kernel.namespaces.listen(namespace, 'udp', nameServerAddress, 0);
    let tcp: { fd: number; port: number } | undefined;
    try {
      tcp = kernel.namespaces.listen(namespace, 'tcp', nameServerAddress, 0);
      kernel.nft.run(redirect(udp.port, tcp.port), namespace);
    } catch (error) {
      for (const made of [udp, tcp]) if (made) closeSync(made.fd);
      throw error;
    }
    const socket = createSocket('udp4').unref();
    socket.bind({ fd: udp.fd });
    const server = createServer().listen({ fd: tcp.fd }).unref();
    this.close = serveDns(socket, server, (query) => resolveName(query, scope, clock));
  }
}

/** Replaces what an earlier daemon left: its ports are gone with it. */
function redirect(udpPort: number, tcpPort: number): string {
  return `table ip ${table} {}
delete table ip ${table}
table ip ${table} {
  chain output {
    type nat hook output priority -100; policy accept;
    ip daddr ${nameServerAddress} udp dport 53 dnat to ${nameServerAddress}:${udpPort}
    ip daddr ${nameServerAddress} tcp dport 53 dnat to ${nameServerAddress}:${tcpPort}
  }
}
`;
}
