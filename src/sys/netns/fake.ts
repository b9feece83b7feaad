import { Fault } from '#lib/errors.ts';
import { encodeInet } from '../sockaddr.ts';
import { sysctlFile } from './sysctls.ts';
import type { NetNamespaces, PinnedKind } from './types.ts';

export interface FakeNamespaces extends NetNamespaces {
  calls: string[];
  /** What is pinned, by path. */
  pinned: Map<string, { kind: PinnedKind; hostname?: string; sysctls: Readonly<Record<string, string>> }>;
  /** The namespace that `within` runs in now; undefined is the host's. */
  current(): string | undefined;
  /** Sockets that listen, and descriptors that were given out: `path|undefined protocol address:port`. */
  sockets: Map<number, string>;
  /** As if the descriptor had been closed. */
  closeSocket(fd: number): void;
}

const firstFd = 1_000_000;
const firstPort = 32768;

/** Namespaces in memory; descriptors are numbers that no kernel knows. */
export function fakeNamespaces(): FakeNamespaces {
  const pinned: FakeNamespaces['pinned'] = new Map();
  const sockets = new Map<number, string>();
  const calls: string[] = [];
  let current: string | undefined;
  let nextFd = firstFd;
  let nextPort = firstPort;

  const need = (path: string): void => {
    // A process's own namespace is taken to exist.
    if (pinned.has(path) || path.startsWith('/proc/')) return;
    throw new Fault('not-found', `enter the net namespace at ${path}: no such file or directory (ENOENT)`, { details: { errno: 'ENOENT' } });
  };
  const keyOf = (path: string | undefined, protocol: string, address: string, port: number): string => `${path ?? current ?? 'host'} ${protocol} ${address}:${port}`;
  const give = (key: string): number => {
    sockets.set(nextFd, key);
    return nextFd++;
  };
  const listening = (key: string): boolean => [...sockets.values()].includes(key);

  const fake: FakeNamespaces = {
    calls,
    pinned,
    sockets,
    current: () => current,
    closeSocket: (fd) => void sockets.delete(fd),
    pin(kind, path, options = {}) {
      calls.push(`pin ${kind} ${path}`);
      const sysctls = options.sysctls ?? {};
      for (const name of Object.keys(sysctls)) sysctlFile(kind, name);
      if (options.hostname !== undefined && kind !== 'uts') throw new Fault('invalid', `pin a ${kind} namespace at ${path}: only a uts namespace has a host name`);
      if (pinned.has(path)) throw new Fault('already-exists', `pin a ${kind} namespace at ${path}: it exists already (EEXIST)`, { details: { errno: 'EEXIST' } });
      pinned.set(path, { kind, hostname: options.hostname, sysctls });
    },
    unpin(path) {
      calls.push(`unpin ${path}`);
      pinned.delete(path);
    },
    isPinned: (path) => pinned.has(path),
    within(path, fn) {
      need(path);
      const before = current;
      current = path;
      try {
        return fn();
      } finally {
        current = before;
      }
    },
    listen(path, protocol, address, port) {
      calls.push(`listen ${path ?? 'host'} ${protocol} ${address}:${port}`);
      encodeInet(address, port);
      if (path !== undefined) need(path);
      const real = port === 0 ? nextPort++ : port;
      const key = keyOf(path, protocol, address, real);
      if (listening(key)) throw new Fault('conflict', `listen on ${protocol} ${address}:${port}: address already in use (EADDRINUSE)`, { details: { errno: 'EADDRINUSE' } });
      return { fd: give(key), port: real };
    },
    async connect(path, address, port) {
      calls.push(`connect ${path ?? 'host'} ${address}:${port}`);
      encodeInet(address, port);
      if (path !== undefined) need(path);
      const key = keyOf(path, 'tcp', address, port);
      if (!listening(key)) throw new Fault('unavailable', `connect to ${address}:${port}: connection refused (ECONNREFUSED)`, { details: { errno: 'ECONNREFUSED' } });
      return { fd: give(`connection ${key}`) };
    },
  };
  return fake;
}
