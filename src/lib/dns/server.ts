import type { Socket as UdpSocket } from 'node:dgram';
import type { Server as TcpServer, Socket } from 'node:net';
import { fitUdp, readQuery, rcodes, withLength, writeAnswer, type Query, type Transport } from './message.ts';

/** Answers one query with a whole message; a failure answers SERVFAIL. */
export type DnsHandler = (query: Query) => Promise<Buffer>;

export const dnsServerLimits = {
  /** Queries under way at a time, for one server; further ones are dropped, and asked again by their client. */
  queries: 1024,
  /** Bytes of one message by TCP. */
  tcpBytes: 65_535,
  /** Bytes of answers that a TCP client may leave unread; with more it is cut off. */
  unreadBytes: 1024 * 1024,
  /** Milliseconds that a TCP client may be silent. */
  idleMs: 10_000,
  tcpConnections: 256,
} as const;

/** Serves `handler` on an open UDP socket and a listening TCP server. What it returns closes both, and their connections. */
export function serveDns(udp: UdpSocket, tcp: TcpServer, handler: DnsHandler): () => void {
  const connections = new Set<Socket>();
  let underWay = 0;
  const answer = async (raw: Buffer, transport: Transport): Promise<{ query: Query; message: Buffer } | undefined> => {
    const query = readQuery(raw, transport);
    if (!query || underWay >= dnsServerLimits.queries) return undefined;
    underWay++;
    try {
      return { query, message: await handler(query) };
    } catch {
      return { query, message: writeAnswer(query, rcodes.serverFailure, []) };
    } finally {
      underWay--;
    }
  };
  udp.on('error', () => {});
  udp.on('message', (raw, client) => {
    void answer(raw, 'udp').then((done) => {
      if (!done) return;
      try {
        udp.send(fitUdp(done.query, done.message), client.port, client.address, () => {});
      } catch {
        // the socket was closed while the answer was made
      }
    });
  });
  tcp.maxConnections = dnsServerLimits.tcpConnections;
  tcp.on('error', () => {});
  tcp.on('connection', (socket) => {
    connections.add(socket);
    socket.on('close', () => connections.delete(socket));
    serveConnection(socket, async (raw) => (await answer(raw, 'tcp'))?.message);
  });
  return () => {
    udp.close();
    tcp.close();
    for (const socket of connections) socket.destroy();
  };
}

/** Several queries may come on one connection, and are answered as they are ready. */
function serveConnection(socket: Socket, answer: (raw: Buffer) => Promise<Buffer | undefined>): void {
  let pending = Buffer.alloc(0);
  socket.setTimeout(dnsServerLimits.idleMs, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 2) {
      const length = pending.readUInt16BE(0);
      if (pending.length < 2 + length) break;
      const raw = pending.subarray(2, 2 + length);
      pending = pending.subarray(2 + length);
      void answer(Buffer.from(raw)).then((message) => {
        if (message && message.length <= dnsServerLimits.tcpBytes) socket.write(withLength(message));
        if (socket.writableLength > dnsServerLimits.unreadBytes) socket.destroy();
      });
    }
  });
}
