/**
 * One end of a SPDY/3.1 connection, as much of it as Kubernetes' streaming uses: streams that the other end opens,
 * data both ways, half-close, reset, ping. No flow control: the peers of Kubernetes have none either, so a slow
 * reader holds up its connection.
 */
import type { Duplex } from 'node:stream';
import { controlFrame, dataFrame, flagFin, FrameReader, frameType, words } from './frames.ts';
import type { Frame } from './frames.ts';
import { HeaderCodec } from './headers.ts';
import type { SpdyHeaders } from './headers.ts';

/** Streams open at a time; more are refused. */
const streamLimit = 1024;
/** Bytes kept of what comes on a stream before anyone listens to it; a peer that sends more breaks the protocol. */
const earlyLimit = 1024 * 1024;
/** Largest payload of a data frame that is sent, in bytes. */
const dataLimit = 32 * 1024;

const resetStatus = { protocolError: 1, invalidStream: 2, refused: 3, cancel: 5 } as const;

export interface SpdyStream {
  readonly id: number;
  readonly headers: SpdyHeaders;
  /** The next data waits until the promise resolves. */
  onData(handler: (data: Buffer) => Promise<void> | void): void;
  onEnd(handler: () => void): void;
  onReset(handler: () => void): void;
  /** Resolves when the carrier took it. */
  write(data: Uint8Array): Promise<void>;
  /** Ends this direction, with a last piece of data. Resolves when the carrier took it. */
  end(data?: Uint8Array): Promise<void>;
}

export class SpdyConnection {
  readonly closed: Promise<void>;
  readonly #carrier: Duplex;
  readonly #accept: (stream: SpdyStream) => boolean;
  readonly #codec = new HeaderCodec();
  readonly #streams = new Map<number, Stream>();

  /** `accept` is told of each stream that the other end opens; false refuses it. */
  constructor(carrier: Duplex, accept: (stream: SpdyStream) => boolean) {
    this.#carrier = carrier;
    this.#accept = accept;
    this.closed = this.#read();
  }

  /** Closes after what was written. */
  close(): void {
    this.#carrier.end();
  }

  async #read(): Promise<void> {
    const reader = new FrameReader();
    try {
      for await (const chunk of this.#carrier as AsyncIterable<Buffer>) {
        for (const frame of reader.add(chunk)) await this.#take(frame);
      }
    } catch {
      // A broken peer and a broken line end the same way.
    } finally {
      for (const stream of this.#streams.values()) stream.reset();
      this.#streams.clear();
      this.#codec.close();
      this.#carrier.destroy();
    }
  }

  async #take(frame: Frame): Promise<void> {
    if (frame.kind === 'data') return this.#takeData(frame.stream, frame.flags, frame.payload);
    const { type, flags, payload } = frame;
    if (type === frameType.synStream) await this.#open(payload, flags);
    else if (type === frameType.ping) await this.#send(controlFrame(frameType.ping, 0, payload));
    else if (type === frameType.reset) this.#reset(payload.readUInt32BE(0));
    else if (type === frameType.goAway) this.#carrier.end();
    else if (type === frameType.headers) await this.#codec.read(payload.subarray(4));
  }

  async #open(payload: Buffer, flags: number): Promise<void> {
    const id = payload.readUInt32BE(0) & 0x7fffffff;
    // Also of a stream that is refused: the compression has one context.
    const headers = await this.#codec.read(payload.subarray(10));
    const { promise: replied, resolve: reply } = Promise.withResolvers<void>();
    const stream = new Stream(id, headers, (frame) => this.#send(frame), () => this.#streams.delete(id), replied);
    if (this.#streams.has(id) || this.#streams.size >= streamLimit || !this.#accept(stream)) {
      await this.#send(controlFrame(frameType.reset, 0, words(id, resetStatus.refused)));
      return;
    }
    this.#streams.set(id, stream);
    await this.#send(controlFrame(frameType.synReply, 0, Buffer.concat([words(id), await this.#codec.write({})])));
    reply();
    if (flags & flagFin) stream.ended();
  }

  async #takeData(id: number, flags: number, payload: Buffer): Promise<void> {
    const stream = this.#streams.get(id);
    if (!stream) {
      await this.#send(controlFrame(frameType.reset, 0, words(id, resetStatus.invalidStream)));
      return;
    }
    if (payload.length > 0) await stream.data(payload);
    if (flags & flagFin) stream.ended();
  }

  #reset(id: number): void {
    this.#streams.get(id & 0x7fffffff)?.reset();
    this.#streams.delete(id & 0x7fffffff);
  }

  #send(frame: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      if (!this.#carrier.writable) reject(new Error('the connection is closed'));
      else this.#carrier.write(frame, (error) => (error ? reject(error) : resolve()));
    });
  }
}

class Stream implements SpdyStream {
  readonly id: number;
  readonly headers: SpdyHeaders;
  readonly #send: (frame: Buffer) => Promise<void>;
  readonly #forget: () => void;
  #onData: ((data: Buffer) => Promise<void> | void) | undefined;
  #onEnd: () => void = () => {};
  #onReset: () => void = () => {};
  /** What came before there was a handler. */
  #early: Buffer[] = [];
  #earlyBytes = 0;
  #written: Promise<void>;
  #theyEnded = false;
  #weEnded = false;

  constructor(id: number, headers: SpdyHeaders, send: (frame: Buffer) => Promise<void>, forget: () => void, replied: Promise<void>) {
    this.id = id;
    this.headers = headers;
    this.#send = send;
    this.#forget = forget;
    // Peers drop what comes before the reply to their opening.
    this.#written = replied;
  }

  onData(handler: (data: Buffer) => Promise<void> | void): void {
    this.#onData = handler;
    for (const data of this.#early.splice(0)) void handler(data);
  }

  onEnd(handler: () => void): void {
    this.#onEnd = handler;
    if (this.#theyEnded) handler();
  }

  onReset(handler: () => void): void {
    this.#onReset = handler;
  }

  async data(data: Buffer): Promise<void> {
    if (this.#onData) {
      await this.#onData(data);
      return;
    }
    this.#earlyBytes += data.length;
    if (this.#earlyBytes > earlyLimit) throw new Error(`more than ${earlyLimit} bytes came on stream ${this.id}, which nobody reads`);
    this.#early.push(data);
  }

  ended(): void {
    this.#theyEnded = true;
    this.#onEnd();
    if (this.#weEnded) this.#forget();
  }

  reset(): void {
    this.#weEnded = true;
    this.#onReset();
  }

  write(data: Uint8Array): Promise<void> {
    if (this.#weEnded) return Promise.reject(new Error('the stream has ended'));
    const written = this.#written.then(() => this.#pieces(data));
    this.#written = written.catch(() => {});
    return written;
  }

  async #pieces(data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; at += dataLimit) await this.#send(dataFrame(this.id, 0, data.subarray(at, at + dataLimit)));
  }

  end(data: Uint8Array = new Uint8Array()): Promise<void> {
    if (this.#weEnded) return Promise.resolve();
    this.#weEnded = true;
    if (this.#theyEnded) this.#forget();
    // After all that was written before. A carrier that is gone needs no end.
    return this.#written.then(() => this.#send(dataFrame(this.id, flagFin, data))).catch(() => {});
  }
}
