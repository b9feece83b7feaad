import { Fault } from '#lib/errors.ts';
import { closeSync } from 'node:fs';
import { errnoFault, errnoOf } from '../errno.ts';
import { check, libc } from '../libc.ts';
import { AF_NETLINK, SOCK_CLOEXEC, SOCK_RAW } from '../sockaddr.ts';
import type { Message } from './codec.ts';
import { decodeAttributes, decodeMessages, encodeMessage, NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, textOf } from './codec.ts';

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_RCVBUF = 8;
const SOL_NETLINK = 270;
const NETLINK_EXT_ACK = 11;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;

/** The kernel answers within the call; a wait this long is a fault of the host. */
const answerSeconds = 5;
/** Dumps come in datagrams of at most 32 KiB. */
const datagramLimitBytes = 64 * 1024;
const receiveBufferBytes = 1 << 20;
/** How often a dump that changed underneath is begun again. */
const dumpAttempts = 10;

/** One netlink socket; it stays in the namespace that it was opened in. */
export class NetlinkSocket {
  #fd: number;
  #sequence = 0;
  #buffer = Buffer.alloc(datagramLimitBytes);

  constructor(protocol: number) {
    this.#fd = check(libc().socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol), 'open a netlink socket');
    const timeout = Buffer.alloc(16); // struct timeval
    timeout.writeBigInt64LE(BigInt(answerSeconds), 0);
    this.#option(SOL_SOCKET, SO_RCVTIMEO, timeout);
    this.#option(SOL_SOCKET, SO_RCVBUF, int(receiveBufferBytes));
    this.#option(SOL_NETLINK, NETLINK_EXT_ACK, int(1));
  }

  /** Sends a request and waits for the kernel's answer; `what` names it in the fault. */
  request(type: number, flags: number, payload: Buffer, what: string): Message[] {
    return this.#exchange(type, flags | NLM_F_REQUEST | NLM_F_ACK, payload, what).replies;
  }

  /** All objects of a kind, from one consistent look at them. */
  dump(type: number, payload: Buffer, what: string): Message[] {
    for (let attempt = 0; attempt < dumpAttempts; attempt++) {
      const { replies, interrupted } = this.#exchange(type, NLM_F_REQUEST | NLM_F_DUMP, payload, what);
      if (!interrupted) return replies;
    }
    throw new Fault('unavailable', `${what}: the list changed ${dumpAttempts} times while it was read; try again`);
  }

  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  #exchange(type: number, flags: number, payload: Buffer, what: string): { replies: Message[]; interrupted: boolean } {
    if (this.#fd < 0) throw new Error(`assertion failed: ${what}: the netlink handle is closed`);
    this.#sequence = (this.#sequence + 1) >>> 0;
    const bytes = encodeMessage({ type, flags, sequence: this.#sequence, payload });
    check(libc().send(this.#fd, bytes, bytes.length, 0), what);
    const replies: Message[] = [];
    let interrupted = false;
    for (;;) {
      for (const message of decodeMessages(this.#receive(what))) {
        if (message.sequence !== this.#sequence) continue;
        if (message.flags & NLM_F_DUMP_INTR) interrupted = true;
        if (message.type === NLMSG_DONE) return { replies, interrupted };
        if (message.type === NLMSG_ERROR) {
          throwIfRefused(message, what);
          return { replies, interrupted };
        }
        replies.push({ ...message, payload: Buffer.from(message.payload) });
      }
    }
  }

  #receive(what: string): Buffer {
    const length = check(libc().recv(this.#fd, this.#buffer, this.#buffer.length, 0), `${what}: read the kernel's answer`);
    return this.#buffer.subarray(0, length);
  }

  #option(level: number, name: number, value: Buffer): void {
    // All of these only make the socket nicer: a kernel that refuses one is good enough.
    libc().setsockopt(this.#fd, level, name, value, value.length);
  }
}

/** An error of 0 is the acknowledgement; newer kernels say in words what they did not like. */
function throwIfRefused(message: Message, what: string): void {
  const errno = -message.payload.readInt32LE(0);
  if (errno === 0) return;
  const fault = errnoFault(errno, what);
  if (!(message.flags & NLM_F_ACK_TLVS)) throw fault;
  const request = message.flags & NLM_F_CAPPED ? 16 : message.payload.readUInt32LE(4);
  const words = textOf(decodeAttributes(message.payload.subarray(4 + request)).get(NLMSGERR_ATTR_MSG));
  throw words === '' ? fault : errnoFault(errno, what, `${words} (${errnoOf(fault)})`);
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}
