/** Remote commands over WebSocket: one byte of channel before each message (kubernetes `v5.channel.k8s.io` and before). */
import type { Duplex } from 'node:stream';
import type { IncomingMessage } from 'node:http';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import type { TerminalSize } from '#core/containers/types.ts';
import type { RemoteChannels, RemoteStatus } from './remote-command.ts';

/** In order of preference. */
export const remoteCommandProtocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io', 'channel.k8s.io', 'base64.channel.k8s.io'];

/** Largest message of a client, in bytes. */
const messageLimit = 1024 * 1024;
/** Bytes not yet sent beyond which the process's output waits. */
const highWater = 1024 * 1024;
const channel = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, close: 255 } as const;

export interface AcceptedWebSocket {
  socket: WebSocket;
  /** The one that was chosen; empty where the client offered none of them. */
  protocol: string;
}

/**
 * Completes the upgrade with the first of `protocols` that the client offers. The choice is made here, because the
 * name of one of Kubernetes' protocols has a slash, which the library takes for a malformed header.
 */
export function acceptWebSocket(request: IncomingMessage, socket: Duplex, head: Buffer, protocols: readonly string[]): Promise<AcceptedWebSocket> {
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  const protocol = protocols.find((name) => offered.includes(name)) ?? '';
  delete request.headers['sec-websocket-protocol'];
  const server = new WebSocketServer({ noServer: true, maxPayload: messageLimit, perMessageDeflate: false });
  if (protocol !== '') server.on('headers', (headers) => headers.push(`Sec-WebSocket-Protocol: ${protocol}`));
  return new Promise((resolve) => server.handleUpgrade(request, socket, head, (accepted) => resolve({ socket: accepted, protocol })));
}

export function webSocketChannels(accepted: AcceptedWebSocket, wants: { stdin: boolean; stdout: boolean; stderr: boolean }): RemoteChannels {
  return new WebSocketChannels(accepted, wants);
}

class WebSocketChannels implements RemoteChannels {
  readonly #socket: WebSocket;
  readonly #protocol: string;
  readonly #base64: boolean;
  #input: (data: Buffer) => void = () => {};
  #inputEnd: () => void = () => {};
  #resize: (size: TerminalSize) => void = () => {};
  /** Input that came before there was a handler. */
  #early: Buffer[] | undefined = [];
  #earlyEnd = false;
  #size: TerminalSize | undefined;

  constructor({ socket, protocol }: AcceptedWebSocket, wants: { stdin: boolean; stdout: boolean; stderr: boolean }) {
    this.#socket = socket;
    this.#protocol = protocol;
    this.#base64 = protocol.includes('base64');
    socket.on('error', () => socket.terminate());
    socket.on('message', (data: Buffer) => this.#take(data));
    // The greeting tells the client that the channels are there.
    this.#send(wants.stdout ? channel.stdout : wants.stderr ? channel.stderr : channel.status, Buffer.alloc(0));
  }

  #take(message: Buffer): void {
    if (message.length === 0) return;
    const number = this.#base64 ? message[0]! - 0x30 : message[0]!;
    const data = this.#base64 ? Buffer.from(message.subarray(1).toString('latin1'), 'base64') : message.subarray(1);
    if (number === channel.stdin && data.length > 0) {
      if (!this.#early) this.#input(data);
      else {
        this.#early.push(data);
        // the process is not there yet: the client waits
        this.pauseInput();
      }
    } else if (number === channel.resize) this.#takeSize(data);
    else if (number === channel.close && data[0] === channel.stdin) {
      this.#earlyEnd = true;
      this.#inputEnd();
    }
  }

  #takeSize(data: Buffer): void {
    try {
      const { Width, Height } = JSON.parse(data.toString('utf8')) as { Width?: unknown; Height?: unknown };
      if (typeof Width !== 'number' || typeof Height !== 'number') return;
      this.#size = { rows: Height, columns: Width };
      this.#resize(this.#size);
    } catch {
      // A client's malformed size changes nothing.
    }
  }

  #send(number: number, data: Buffer): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#base64) this.#socket.send(`${number}${data.toString('base64')}`);
    else this.#socket.send(Buffer.concat([Buffer.of(number), data]));
  }

  async output(stream: 'stdout' | 'stderr', data: Buffer): Promise<void> {
    this.#send(channel[stream], data);
    if (this.#socket.bufferedAmount < highWater) return;
    await new Promise<void>((resolve) => this.#socket.ping(undefined, undefined, () => resolve()));
  }

  status(status: RemoteStatus): void {
    // Before version 4 the channel carries bare text, and nothing on success.
    const structured = /^v[45]\./.test(this.#protocol);
    if (structured) this.#send(channel.status, Buffer.from(JSON.stringify(status)));
    else if (status.status === 'Failure') this.#send(channel.status, Buffer.from(status.message ?? ''));
    this.#socket.close(1000);
  }

  onInput(handler: (data: Buffer) => void): void {
    this.#input = handler;
    const early = this.#early ?? [];
    this.#early = undefined;
    if (early.length > 0) this.resumeInput();
    for (const data of early) handler(data);
  }

  onInputEnd(handler: () => void): void {
    this.#inputEnd = handler;
    if (this.#earlyEnd) handler();
    this.#socket.on('close', handler);
  }

  onResize(handler: (size: TerminalSize) => void): void {
    this.#resize = handler;
    if (this.#size) handler(this.#size);
  }

  onClose(handler: () => void): void {
    if (this.#socket.readyState >= this.#socket.CLOSING) handler();
    else this.#socket.on('close', handler);
  }

  pauseInput(): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.pause();
  }

  resumeInput(): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.resume();
  }
}
