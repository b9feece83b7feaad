import { closeSync } from 'node:fs';
import { EPOLLOUT } from '../epoll/events.ts';
import type { Poller } from '../epoll/poller.ts';
import { errnoFault, errnoName } from '../errno.ts';
import { check, lastErrno, libc } from '../libc.ts';
import type { Knock } from './types.ts';
import { AF_INET6, decodeInet, encodeInet, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_STREAM } from '../sockaddr.ts';

const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_ERROR = 4;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const backlog = 511;

/** In the present namespace. An IPv6 socket takes IPv6 alone, so that `0.0.0.0` and `::` can both have a port. */
export function listenInet(protocol: 'tcp' | 'udp', address: string, port: number): { fd: number; port: number } {
  const what = `listen on ${protocol} ${address}:${port}`;
  const { family, bytes } = encodeInet(address, port);
  const type = protocol === 'tcp' ? SOCK_STREAM : SOCK_DGRAM;
  const fd = check(libc().socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), what);
  try {
    if (protocol === 'tcp') setOption(fd, SOL_SOCKET, SO_REUSEADDR, what);
    if (family === AF_INET6) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, what);
    check(libc().bind(fd, bytes, bytes.length), what);
    if (protocol === 'tcp') check(libc().listen(fd, backlog), what);
    const bound = Buffer.alloc(28);
    check(libc().getsockname(fd, bound, int(bound.length)), what);
    return { fd, port: decodeInet(bound).port };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** `inside` runs its argument in the namespace; only the socket is made there, the wait is outside. */
export async function connectInet(poller: Poller, inside: (start: () => number) => number, address: string, port: number, signal?: AbortSignal): Promise<{ fd: number }> {
  const what = `connect to ${address}:${port}`;
  const { family, bytes } = encodeInet(address, port);
  signal?.throwIfAborted();
  const fd = inside(() => {
    const made = check(libc().socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), what);
    if (libc().connect(made, bytes, bytes.length) === 0) return made;
    const errno = errnoName(lastErrno());
    if (errno === 'EINPROGRESS') return made;
    closeSync(made);
    throw errnoFault(errno, what);
  });
  try {
    await poller.ready(fd, EPOLLOUT, signal);
    const errno = int(0);
    check(libc().getsockopt(fd, SOL_SOCKET, SO_ERROR, errno, int(errno.length)), what);
    if (errno.readInt32LE(0) !== 0) throw errnoFault(errno.readInt32LE(0), what);
    return { fd };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

export function knockInet(address: string, port: number): Knock {
  const { family, bytes } = encodeInet(address, port);
  const fd = check(libc().socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), `knock at ${address}:${port}`);
  // once begun, connect(2) tells how it stands
  const ask = (): ReturnType<Knock['state']> => (libc().connect(fd, bytes, bytes.length) === 0 ? 'open' : (states[errnoName(lastErrno())] ?? 'unreachable'));
  let now = ask();
  return {
    state: () => (now === 'waiting' ? (now = ask()) : now),
    close: () => closeSync(fd),
  };
}

const states: Readonly<Record<string, ReturnType<Knock['state']>>> = { EINPROGRESS: 'waiting', EALREADY: 'waiting', EISCONN: 'open', ECONNREFUSED: 'refused' };

function setOption(fd: number, level: number, name: number, what: string): void {
  check(libc().setsockopt(fd, level, name, int(1), 4), what);
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}
