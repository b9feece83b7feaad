/**
 * A client that takes little of the machine itself: requests are bytes made ahead, answers are counted and not parsed, each
 * connection has one request under way.
 */
import { connect, type TLSSocket } from 'node:tls';
import type { HttpClientOptions } from '#client/kube/http.ts';

export interface Answer {
  status: number;
  /** Bytes of the body as they came (chunks with their heads). */
  bytes: number;
  /** The start of the body. */
  head: string;
}

/** Of a body that is kept in `head`, in bytes: enough for a list's `continue`. */
const headBytes = 512;

export class Connection {
  readonly #socket: TLSSocket;
  #pending: { resolve(answer: Answer): void; reject(error: Error): void; answer: Partial<Answer> & { bytes: number }; left: number; text: string } | undefined;

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error) => this.#pending?.reject(error));
    socket.on('close', () => this.#pending?.reject(new Error('the server closed the connection')));
  }

  static open(access: HttpClientOptions): Promise<Connection> {
    const { hostname, port } = new URL(access.server);
    return new Promise((resolve, reject) => {
      const socket = connect({ host: hostname, port: Number(port), cert: access.certificate!, key: access.key!, ca: access.ca!, checkServerIdentity: () => undefined, ALPNProtocols: ['http/1.1'] });
      socket.once('error', reject);
      socket.once('secureConnect', () => {
        socket.setNoDelay(true).off('error', reject);
        resolve(new Connection(socket));
      });
    });
  }

  send(method: string, path: string, options: { body?: Buffer; accept?: string } = {}): Promise<Answer> {
    const { body, accept = 'application/json' } = options;
    const head = `${method} ${path} HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench\r\nAccept: ${accept}\r\n`;
    const rest = body ? `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n` : '\r\n';
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject, answer: { bytes: 0 }, left: Infinity, text: '' };
      this.#socket.write(body ? Buffer.concat([Buffer.from(head + rest), body]) : head + rest);
    });
  }

  close(): void {
    this.#pending = undefined;
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    const pending = this.#pending;
    if (!pending) return;
    let body = chunk;
    if (pending.answer.status === undefined) {
      const text = pending.text + chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end < 0) {
        pending.text = text;
        return;
      }
      pending.answer.status = Number(text.slice(9, 12));
      pending.left = Number(/\r\ncontent-length: (\d+)/i.exec(text.slice(0, end + 2))?.[1] ?? Infinity);
      body = Buffer.from(text.slice(end + 4), 'latin1');
      pending.text = '';
    }
    pending.answer.bytes += body.length;
    if (pending.text.length < headBytes) pending.text += body.toString('latin1', 0, headBytes);
    // without a length the body is in chunks, and the last one is empty
    const chunked = pending.left === Infinity && body.length >= 5 && body.toString('latin1', body.length - 5) === '0\r\n\r\n';
    if (!chunked && pending.answer.bytes < pending.left) return;
    this.#pending = undefined;
    pending.resolve({ status: pending.answer.status!, bytes: pending.answer.bytes, head: pending.text });
  }
}
