/** Remote commands over SPDY, as kubectl before 1.30 speaks them: one stream for each of error, stdin, stdout, stderr, resize. */
import type { TerminalSize } from '#core/containers/types.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import type { RemoteChannels, RemoteStatus } from '../remote-command.ts';
import type { AcceptedSpdy } from './accept.ts';
import { SpdyConnection } from './connection.ts';
import type { SpdyStream } from './connection.ts';

/** In order of preference. Before version 4 the error stream carries bare text. */
export const spdyCommandProtocols = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io'];

/** How long a client may take to open its streams, in milliseconds. */
const openLimitMs = 30_000;

type StreamType = 'error' | 'stdin' | 'stdout' | 'stderr' | 'resize';

/** Resolves when the client has opened all streams that its request calls for; `timeout`. */
export async function openSpdyChannels(clock: Clock, accepted: AcceptedSpdy, wants: { stdin: boolean; stdout: boolean; stderr: boolean; tty: boolean }): Promise<RemoteChannels> {
  const expected: StreamType[] = ['error'];
  for (const type of ['stdin', 'stdout', 'stderr'] as const) if (wants[type]) expected.push(type);
  if (wants.tty && accepted.protocol !== 'v2.channel.k8s.io') expected.push('resize');
  const streams = new Map<string, SpdyStream>();
  const { promise: complete, resolve, reject } = Promise.withResolvers<void>();
  const connection = new SpdyConnection(accepted.carrier, (stream) => {
    const type = stream.headers['streamtype'] ?? '';
    if (!expected.includes(type as StreamType) || streams.has(type)) return false;
    streams.set(type, stream);
    if (streams.size === expected.length) resolve();
    return true;
  });
  const timer = clock.after(openLimitMs, () => reject(new Fault('timeout', `timed out waiting for client to create streams`)));
  void connection.closed.then(() => reject(new Fault('canceled', 'the client has gone')));
  try {
    await complete;
  } catch (error) {
    connection.close();
    throw error;
  } finally {
    timer.cancel();
  }
  return new SpdyChannels(connection, streams, accepted.protocol);
}

class SpdyChannels implements RemoteChannels {
  readonly #connection: SpdyConnection;
  readonly #streams: ReadonlyMap<string, SpdyStream>;
  readonly #protocol: string;
  /** Resolves when input may be taken again. */
  #gate: Promise<void> = Promise.resolve();
  #open: () => void = () => {};
  #size: TerminalSize | undefined;

  constructor(connection: SpdyConnection, streams: ReadonlyMap<string, SpdyStream>, protocol: string) {
    this.#connection = connection;
    this.#streams = streams;
    this.#protocol = protocol;
  }

  async output(stream: 'stdout' | 'stderr', data: Buffer): Promise<void> {
    await this.#streams.get(stream)?.write(data);
  }

  status(status: RemoteStatus): void {
    const structured = this.#protocol === 'v4.channel.k8s.io';
    const text = structured ? JSON.stringify(status) : status.status === 'Failure' ? (status.message ?? '') : '';
    const ends = [...this.#streams].map(([type, stream]) => stream.end(type === 'error' ? Buffer.from(text) : undefined));
    void Promise.all(ends).then(() => this.#connection.close());
  }

  onInput(handler: (data: Buffer) => void): void {
    this.#streams.get('stdin')?.onData((data) => {
      handler(data);
      return this.#gate;
    });
  }

  onInputEnd(handler: () => void): void {
    this.#streams.get('stdin')?.onEnd(handler);
    this.onClose(handler);
  }

  onResize(handler: (size: TerminalSize) => void): void {
    this.#streams.get('resize')?.onData((data) => {
      // Go's encoder ends each value with a newline; several may come at once.
      for (const line of data.toString('utf8').split('\n')) {
        const size = /^\{"Width":(\d+),"Height":(\d+)\}$/.exec(line.trim());
        if (!size) continue;
        this.#size = { rows: Number(size[2]), columns: Number(size[1]) };
        handler(this.#size);
      }
    });
    if (this.#size) handler(this.#size);
  }

  onClose(handler: () => void): void {
    void this.#connection.closed.then(handler);
  }

  pauseInput(): void {
    this.#gate = new Promise((resolve) => (this.#open = resolve));
  }

  resumeInput(): void {
    this.#open();
  }
}
