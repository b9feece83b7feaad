import { Fault } from '#lib/errors.ts';
import { packetLimitBytes } from './connection.ts';
import type { SeqPacket, SeqPackets } from './types.ts';

/** The other side of a fake connection. */
export interface FakePeer {
  send(packet: Uint8Array): void;
  /** Called with each packet that the client wrote; at once for those that came before it was set. */
  onPacket(handler: (packet: Buffer) => void): void;
  /** Called when the client shut its side down, or closed. */
  onEnd(handler: () => void): void;
  close(): void;
}

export interface FakeSeqPackets extends SeqPackets {
  /** Takes connections to `path` until the function that it returns is called. */
  listen(path: string, onConnection: (peer: FakePeer) => void): () => void;
}

/** Packets for a handler that may come later. */
class Inbox {
  #handler: ((packet: Buffer) => void) | undefined;
  #packets: Buffer[] = [];
  paused = false;

  push(packet: Uint8Array): void {
    this.#packets.push(Buffer.from(packet));
    this.drain();
  }

  handle(handler: (packet: Buffer) => void): void {
    this.#handler = handler;
    this.drain();
  }

  /** Whether nothing is left. */
  drain(): boolean {
    while (this.#handler && !this.paused && this.#packets.length > 0) {
      const packet = this.#packets.shift();
      if (packet) this.#handler(packet);
    }
    return this.#packets.length === 0;
  }
}

export function fakeSeqPackets(): FakeSeqPackets {
  const listeners = new Map<string, (peer: FakePeer) => void>();
  return {
    listen(path, onConnection) {
      listeners.set(path, onConnection);
      return () => void listeners.delete(path);
    },
    async connect(path) {
      const accept = listeners.get(path);
      if (!accept) throw new Fault('not-found', `connect to ${path}: no such file or directory (ENOENT)`, { details: { errno: 'ENOENT' } });
      const pair = new FakePair(path);
      queueMicrotask(() => accept(pair.peer));
      return pair.client;
    },
  };
}

class FakePair {
  #toClient = new Inbox();
  #toPeer = new Inbox();
  #path: string;
  #closed = false;
  #peerGone = false;
  #closeTold = false;
  #onClose: (() => void) | undefined;
  #onEnd: (() => void) | undefined;
  #ended = false;
  #endTold = false;

  constructor(path: string) {
    this.#path = path;
  }

  readonly client: SeqPacket = {
    onPacket: (handler) => {
      this.#toClient.handle(handler);
      this.#settle();
    },
    onClose: (handler) => {
      this.#onClose = handler;
      this.#settle();
    },
    write: async (packet) => {
      if (packet.length > packetLimitBytes) throw new Fault('too-large', `a packet of ${packet.length} bytes for ${this.#path}; at most ${packetLimitBytes} are sent at once`);
      if (this.#closed || this.#peerGone || this.#ended) throw new Fault('unavailable', `write to ${this.#path}: the connection is closed`, { details: { errno: 'EPIPE' } });
      this.#toPeer.push(packet);
    },
    shutdownWrite: () => this.#end(),
    pause: () => void (this.#toClient.paused = true),
    resume: () => {
      this.#toClient.paused = false;
      this.#settle();
    },
    close: () => {
      this.#closed = true;
      this.#end();
      this.#settle();
    },
  };

  readonly peer: FakePeer = {
    send: (packet) => {
      if (!this.#closed && !this.#peerGone) this.#toClient.push(packet);
    },
    onPacket: (handler) => this.#toPeer.handle(handler),
    onEnd: (handler) => {
      this.#onEnd = handler;
      this.#tellEnd();
    },
    close: () => {
      this.#peerGone = true;
      this.#settle();
    },
  };

  #end(): void {
    this.#ended = true;
    this.#tellEnd();
  }

  #tellEnd(): void {
    if (!this.#ended || this.#endTold || !this.#onEnd) return;
    this.#endTold = true;
    this.#onEnd();
  }

  #settle(): void {
    const empty = this.#closed || this.#toClient.drain();
    if (this.#peerGone && empty) this.#closed = true;
    if (!this.#closed || this.#closeTold || !this.#onClose) return;
    this.#closeTold = true;
    this.#onClose();
  }
}
