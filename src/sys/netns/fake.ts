import { Fault } from '#lib/errors.ts';
import { errnoFault } from '../errno.ts';
import { encodeInet } from '../sockaddr.ts';
import { sysctlFile } from './sysctls.ts';
import type { Knock, NetNamespaces, PinnedKind } from './types.ts';

export interface FakeNamespaces extends NetNamespaces {
  calls: string[];
  /** What is pinned, by path. */
  pinned: Map<string, { kind: PinnedKind; hostname?: string; sysctls: Readonly<Record<string, string>> }>;
  /** The namespace that `within` runs in now; undefined is the host's. */
  current(): string | undefined;
  /** Descriptors that were given out: `path|host protocol address:port`, with `connection ` before it for a client's. */
  sockets: Map<number, string>;
  /** As if the descriptor had been closed. */
  closeSocket(fd: number): void;
}

const firstFd = 1_000_000;
const firstPort = 32768;

/** Namespaces in memory; descriptors are numbers that no kernel knows. `dropped` hears of each that is let go. */
export function fakeNamespaces(dropped: (path: string) => void = () => {}): FakeNamespaces {
  return new Fake(dropped);
}

class Fake implements FakeNamespaces {
  calls: string[] = [];
  pinned: FakeNamespaces['pinned'] = new Map();
  sockets = new Map<number, string>();
  #dropped: (path: string) => void;
  #current: string | undefined;
  #nextFd = firstFd;
  #nextPort = firstPort;

  constructor(dropped: (path: string) => void) {
    this.#dropped = dropped;
  }

  current(): string | undefined {
    return this.#current;
  }

  closeSocket(fd: number): void {
    this.sockets.delete(fd);
  }

  pin(kind: PinnedKind, path: string, options: { hostname?: string; sysctls?: Readonly<Record<string, string>> } = {}): void {
    this.calls.push(`pin ${kind} ${path}`);
    const { hostname, sysctls = {} } = options;
    for (const name of Object.keys(sysctls)) sysctlFile(kind, name);
    if (hostname !== undefined && kind !== 'uts') throw new Fault('invalid', `pin a ${kind} namespace at ${path}: only a uts namespace has a host name`);
    if (this.pinned.has(path)) throw errnoFault('EEXIST', `pin a ${kind} namespace at ${path}`);
    this.pinned.set(path, { kind, hostname, sysctls });
  }

  async unpinAside(path: string): Promise<void> {
    this.unpin(path);
  }

  unpin(path: string): void {
    this.calls.push(`unpin ${path}`);
    if (this.pinned.delete(path)) this.#dropped(path);
  }

  isPinned(path: string): boolean {
    return this.pinned.has(path);
  }

  within<T>(path: string, fn: () => T): T {
    this.#need(path);
    const before = this.#current;
    this.#current = path;
    try {
      return fn();
    } finally {
      this.#current = before;
    }
  }

  listen(path: string | undefined, protocol: 'tcp' | 'udp', address: string, port: number): { fd: number; port: number } {
    this.calls.push(`listen ${path ?? 'host'} ${protocol} ${address}:${port}`);
    encodeInet(address, port);
    this.#need(path);
    const real = port === 0 ? this.#nextPort++ : port;
    const socket = this.#name(path, protocol, address, real);
    if (this.#listens(socket)) throw errnoFault('EADDRINUSE', `listen on ${protocol} ${address}:${port}`);
    return { fd: this.#give(socket), port: real };
  }

  async connect(path: string | undefined, address: string, port: number, signal?: AbortSignal): Promise<{ fd: number }> {
    signal?.throwIfAborted();
    this.calls.push(`connect ${path ?? 'host'} ${address}:${port}`);
    encodeInet(address, port);
    this.#need(path);
    const socket = this.#name(path, 'tcp', address, port);
    if (!this.#listens(socket)) throw errnoFault('ECONNREFUSED', `connect to ${address}:${port}`);
    return { fd: this.#give(`connection ${socket}`) };
  }

  knock(address: string, port: number): Knock {
    this.calls.push(`knock ${address}:${port}`);
    encodeInet(address, port);
    const state = this.#listens(this.#name(undefined, 'tcp', address, port)) ? 'open' : 'refused';
    return { state: () => state, close: () => {} };
  }

  /** A process's own namespace is taken to exist. */
  #need(path: string | undefined): void {
    if (path === undefined || this.pinned.has(path) || path.startsWith('/proc/')) return;
    throw errnoFault('ENOENT', `enter the net namespace at ${path}`);
  }

  #name(path: string | undefined, protocol: string, address: string, port: number): string {
    return `${path ?? this.#current ?? 'host'} ${protocol} ${address}:${port}`;
  }

  #listens(socket: string): boolean {
    return [...this.sockets.values()].includes(socket);
  }

  #give(socket: string): number {
    this.sockets.set(this.#nextFd, socket);
    return this.#nextFd++;
  }
}
