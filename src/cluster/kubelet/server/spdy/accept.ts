import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { Fault } from '#lib/errors.ts';

export interface AcceptedSpdy {
  carrier: Duplex;
  /** Of those offered, the one that was chosen. */
  protocol: string;
}

/** Completes an upgrade to SPDY/3.1 with the first of `protocols` that the client offers; `forbidden` where it offers none. */
export function acceptSpdy(request: IncomingMessage, socket: Duplex, head: Buffer, protocols: readonly string[]): AcceptedSpdy {
  const header = request.headers['x-stream-protocol-version'];
  const offered = (Array.isArray(header) ? header : [header ?? '']).flatMap((line) => line.split(',').map((name) => name.trim()));
  // A client that names none speaks the first version there was.
  const protocol = protocols.find((name) => offered.includes(name)) ?? (header === undefined ? protocols.at(-1)! : undefined);
  if (protocol === undefined) throw new Fault('forbidden', `unable to negotiate protocol: client supports ${offered.join(', ')}, server accepts ${protocols.join(', ')}`);
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`);
  if (head.length > 0) socket.unshift(head);
  return { carrier: socket, protocol };
}
