/** Port-forward: SPDY streams (over WebSocket messages, or the socket itself) joined to TCP connections in the pod. */
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createWebSocketStream } from 'ws';
import { Fault, messageOf } from '#lib/errors.ts';
import type { NodeContext } from '../types.ts';
import { SpdyConnection } from './spdy/connection.ts';
import type { SpdyStream } from './spdy/connection.ts';
import { acceptSpdy } from './spdy/accept.ts';
import { findPod, networkOf } from './target.ts';
import type { UpgradeRequest } from './types.ts';
import { acceptWebSocket } from './websocket.ts';

const overWebSocket = 'SPDY/3.1+portforward.k8s.io';
const overSpdy = 'portforward.k8s.io';
/** Connections that a client may have open at a time. */
const connectionLimit = 256;

export async function servePortForward(upgrade: UpgradeRequest): Promise<void> {
  const { node, pods, parts } = upgrade;
  const pod = findPod(pods, parts[0] ?? '', parts[1] ?? '');
  const netPath = networkOf(node, pod, 'forward port');
  const carrier = await openCarrier(upgrade);
  const forwards = new Forwards(node, netPath);
  const connection = new SpdyConnection(carrier, (stream) => forwards.take(stream));
  await connection.closed;
  forwards.close();
}

async function openCarrier({ request, socket, head }: UpgradeRequest): Promise<Duplex> {
  const wanted = (request.headers.upgrade ?? '').toLowerCase();
  if (wanted === 'websocket') {
    const accepted = await acceptWebSocket(request, socket, head, [overWebSocket]);
    return createWebSocketStream(accepted.socket);
  }
  if (wanted === 'spdy/3.1') return acceptSpdy(request, socket, head, [overSpdy]).carrier;
  throw new Fault('invalid', `unable to upgrade: ${wanted || 'no protocol'} is not supported, use websocket with ${overWebSocket}`);
}

/** Pairs the error and data streams of each request. */
class Forwards {
  readonly #node: NodeContext;
  readonly #netPath: string | undefined;
  readonly #waiting = new Map<string, { error?: SpdyStream; data?: SpdyStream }>();
  readonly #sockets = new Set<Socket>();

  constructor(node: NodeContext, netPath: string | undefined) {
    this.#node = node;
    this.#netPath = netPath;
  }

  /** False: the stream is refused. */
  take(stream: SpdyStream): boolean {
    const type = stream.headers['streamtype'];
    const port = Number(stream.headers['port']);
    const id = stream.headers['requestid'] ?? '';
    if ((type !== 'error' && type !== 'data') || !Number.isInteger(port) || port < 1 || port > 65_535) return false;
    if (this.#waiting.size + this.#sockets.size >= connectionLimit) return false;
    const pair = { ...this.#waiting.get(id), [type]: stream };
    this.#waiting.set(id, pair);
    if (pair.error && pair.data) {
      this.#waiting.delete(id);
      void this.#forward(pair.error, pair.data, port);
    }
    return true;
  }

  async #forward(error: SpdyStream, data: SpdyStream, port: number): Promise<void> {
    let socket: Socket;
    try {
      const { fd } = await this.#node.core.kernel.namespaces.connect(this.#netPath, '127.0.0.1', port);
      socket = new Socket({ fd, allowHalfOpen: true });
    } catch (failure) {
      void error.end(Buffer.from(`error forwarding port ${port} to pod: ${messageOf(failure)}`));
      void data.end();
      return;
    }
    this.#sockets.add(socket);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      void data.end();
      void error.end();
    });
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      socket.pause();
      data.write(chunk).then(
        () => socket.resume(),
        () => socket.destroy(),
      );
    });
    socket.on('end', () => void data.end());
    data.onData((chunk) => new Promise((resolve) => (socket.destroyed ? resolve() : socket.write(chunk, () => resolve()))));
    data.onEnd(() => socket.end());
    data.onReset(() => socket.destroy());
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
