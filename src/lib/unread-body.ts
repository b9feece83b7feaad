/** The rest of a body whose request has been answered already: it is passed over, within bounds. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from './clock.ts';
import { every, monotonicMs } from './clock.ts';

/** Bytes that are passed over, as Go's server does; with more the connection is cut. */
export const unreadBytes = 256 * 1024;
/** Milliseconds that this may take. */
export const unreadMs = 10_000;
/** Milliseconds between two looks at it. */
const lookMs = 50;
/** Milliseconds between the end of what is sent and the cut, in which the client can read the answer before the connection is reset; Go's. */
const lingerMs = 500;

/** Bounds what a client may go on sending when its request has been answered. To be called before the answer. */
export function boundUnread(request: IncomingMessage, response: ServerResponse, clock: Clock): void {
  const { socket } = request;
  // Node closes a connection as soon as its last answer is sent: who still writes then is reset, and may never read it
  socket.destroySoon = () => {
    useOwn(socket);
    socket.end();
    void passOver(request, clock).then(() => socket.destroySoon());
  };
  response.once('finish', () => {
    useOwn(socket);
    void passOver(request, clock);
  });
}

/** Takes away the method that was put in front of the socket's own. */
function useOwn(socket: { destroySoon?: unknown }): void {
  if (Object.hasOwn(socket, 'destroySoon')) delete socket.destroySoon;
}

/** Answers a request whose body has not all come, and then closes the connection: to close it at once would reset it, and the answer would be lost with it. */
export async function answerEarly(request: IncomingMessage, response: ServerResponse, status: number, headers: Readonly<Record<string, string>>, body: Buffer, clock: Clock): Promise<void> {
  response.writeHead(status, { ...headers, 'content-length': body.length, connection: 'close' });
  response.write(body);
  await passOver(request, clock);
  response.end();
}

/** Resolves at the end of the body, or of the connection. */
async function passOver(request: IncomingMessage, clock: Clock): Promise<void> {
  const { socket } = request;
  if (request.complete || socket.destroyed) return;
  const start = { bytes: socket.bytesRead, ms: monotonicMs(clock) };
  const ended = new Promise((resolve) => request.once('end', resolve).once('close', resolve));
  const look = every(clock, lookMs, () => {
    if (socket.bytesRead - start.bytes <= unreadBytes && monotonicMs(clock) - start.ms <= unreadMs) return;
    look.cancel();
    socket.end();
    clock.after(lingerMs, () => socket.destroy()).unref();
  }).unref();
  request.resume();
  await ended;
  look.cancel();
}
