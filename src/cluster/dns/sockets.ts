import { createSocket, type Socket } from 'node:dgram';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { codeOf } from '#lib/errors.ts';

export interface DnsSockets {
  udp: Socket;
  tcp: Server;
  port: number;
}

/** How often another free port is tried: one that is free for TCP may be taken for UDP. */
const portAttempts = 16;

/** A UDP socket and a TCP server on one port of the address; port 0 takes one that is free for both. */
export async function openSockets(address: string, port: number, makeTcp: () => Server = createServer): Promise<DnsSockets> {
  for (let attempt = 1; ; attempt++) {
    const tcp = makeTcp();
    const udp = createSocket('udp4');
    try {
      await opened(tcp, (done) => tcp.listen(port, address, done));
      const chosen = (tcp.address() as AddressInfo).port;
      await opened(udp, (done) => udp.bind(chosen, address, done));
      return { udp, tcp, port: chosen };
    } catch (error) {
      tcp.close();
      udp.close();
      if (port !== 0 || codeOf(error) !== 'EADDRINUSE' || attempt === portAttempts) throw error;
    }
  }
}

function opened(what: Socket | Server, open: (done: () => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    what.once('error', reject);
    open(resolve);
  });
}
