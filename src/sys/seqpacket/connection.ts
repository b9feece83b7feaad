import { Fault } from '#lib/errors.ts';
import { closeSync } from 'node:fs';
import { EPOLLIN, EPOLLOUT, EPOLLRDHUP } from '../epoll/events.ts';
import type { Poller, Watch } from '../epoll/poller.ts';
import { errnoFault, errnoName } from '../errno.ts';
import { lastErrno, libc } from '../libc.ts';
import type { SeqPacket } from './types.ts';

const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_TRUNC = 0x20;
const SHUT_WR = 1;

/** The largest packet that is sent, in bytes. */
export const packetLimitBytes = 32 * 1024;
/** The largest that can arrive: above what a Unix socket takes with the kernel's default buffers. */
const receiveLimitBytes = 256 * 1024;
/** Packets that are read in one turn, so that one busy peer leaves time for the others. */
const packetsPerTurn = 32;
/** Packets kept for a handler that is not there yet; what follows waits in the kernel, and then at the sender. */
const earlyPackets = 64;
/** Writes that may wait for the kernel at a time. */
const waitingWrites = 256;

// Shared by all connections, as it is only used within a synchronous read.
let receiveBuffer: Buffer | undefined;

interface PendingWrite {
  packet: Uint8Array;
  resolve(): void;
  reject(error: Fault): void;
}

/**
 * Reading goes on while someone takes the packets; it stops by not arming the watch, so that the kernel's
 * buffer fills and the sender waits. The end of the peer is told after its last packet.
 */
export class Connection implements SeqPacket {
  #fd: number;
  #path: string;
  #watch: Watch;
  #packetHandler: ((packet: Buffer) => void) | undefined;
  #closeHandler: (() => void) | undefined;
  #early: Buffer[] = [];
  #writes: PendingWrite[] = [];
  #paused = false;
  #peerGone = false;
  #closed = false;
  #closeTold = false;
  #armed = 0;

  constructor(poller: Poller, fd: number, path: string) {
    this.#fd = fd;
    this.#path = path;
    this.#watch = poller.watch(fd, 0, (events) => this.#fired(events));
    this.#arm();
  }

  onPacket(handler: (packet: Buffer) => void): void {
    this.#packetHandler = handler;
    this.#deliverEarly();
    this.#arm();
    this.#tellClose();
  }

  onClose(handler: () => void): void {
    this.#closeHandler = handler;
    this.#tellClose();
  }

  write(packet: Uint8Array): Promise<void> {
    if (packet.length > packetLimitBytes) return Promise.reject(new Fault('too-large', `a packet of ${packet.length} bytes for ${this.#path}; at most ${packetLimitBytes} are sent at once`));
    if (this.#closed) return Promise.reject(this.#gone());
    if (this.#writes.length === 0) {
      const errno = this.#send(packet);
      if (errno === undefined) return Promise.resolve();
      if (errno !== 'EAGAIN') return Promise.reject(errnoFault(errno, `write to ${this.#path}`));
    }
    if (this.#writes.length >= waitingWrites) {
      return Promise.reject(new Fault('exhausted', `write to ${this.#path}: ${waitingWrites} packets wait already; wait for a write before the next`));
    }
    // The caller's bytes may change before they are sent.
    const copy = Uint8Array.from(packet);
    return new Promise((resolve, reject) => {
      this.#writes.push({ packet: copy, resolve, reject });
      this.#arm();
    });
  }

  shutdownWrite(): void {
    if (!this.#closed) libc().shutdown(this.#fd, SHUT_WR);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#deliverEarly();
    this.#arm();
    this.#tellClose();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch.close();
    closeSync(this.#fd);
    this.#early = [];
    for (const write of this.#writes.splice(0)) write.reject(this.#gone());
    this.#tellClose();
  }

  #fired(events: number): void {
    this.#armed = 0;
    if (events & ~EPOLLOUT && this.#wantsToRead()) this.#read();
    this.#flush();
    this.#arm();
    this.#tellClose();
  }

  #wantsToRead(): boolean {
    if (this.#closed || this.#peerGone || this.#paused) return false;
    return this.#packetHandler !== undefined || this.#early.length < earlyPackets;
  }

  #read(): void {
    receiveBuffer ??= Buffer.allocUnsafeSlow(receiveLimitBytes);
    for (let i = 0; i < packetsPerTurn && this.#wantsToRead(); i++) {
      const length = libc().recv(this.#fd, receiveBuffer, receiveLimitBytes, MSG_DONTWAIT | MSG_TRUNC);
      if (length < 0) {
        const errno = errnoName(lastErrno());
        if (errno === 'EINTR') continue;
        if (errno !== 'EAGAIN') this.#peerGone = true;
        return;
      }
      // A peer that sends more than fits breaks the contract; a cut packet would be worse than an end.
      if (length === 0 || length > receiveLimitBytes) {
        this.#peerGone = true;
        return;
      }
      this.#early.push(Buffer.from(receiveBuffer.subarray(0, length)));
      this.#deliverEarly();
    }
  }

  #deliverEarly(): void {
    while (this.#packetHandler && !this.#paused && this.#early.length > 0) {
      const packet = this.#early.shift();
      if (packet) this.#packetHandler(packet);
    }
  }

  #send(packet: Uint8Array): string | undefined {
    const sent = libc().send(this.#fd, packet, packet.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? errnoName(lastErrno()) : undefined;
  }

  #flush(): void {
    while (!this.#closed && this.#writes.length > 0) {
      const [write] = this.#writes;
      if (!write) return;
      const errno = this.#send(write.packet);
      if (errno === 'EAGAIN') return;
      this.#writes.shift();
      if (errno === undefined) write.resolve();
      else write.reject(errnoFault(errno, `write to ${this.#path}`));
    }
  }

  #arm(): void {
    if (this.#closed) return;
    const reading = this.#wantsToRead() ? EPOLLIN | EPOLLRDHUP : 0;
    const wanted = reading | (this.#writes.length > 0 ? EPOLLOUT : 0);
    // Armed for more than is wanted is harmless: it fires once and is then judged again.
    if (wanted === 0 || (this.#armed & wanted) === wanted) return;
    this.#armed |= wanted;
    this.#watch.arm(this.#armed);
  }

  /** After a peer has gone and its packets were taken, the connection closes by itself. */
  #tellClose(): void {
    if (this.#peerGone && !this.#closed && this.#early.length === 0) this.close();
    if (!this.#closed || this.#closeTold || !this.#closeHandler) return;
    this.#closeTold = true;
    this.#closeHandler();
  }

  #gone(): Fault {
    return new Fault('unavailable', `write to ${this.#path}: the connection is closed`, { details: { errno: 'EPIPE' } });
  }
}
