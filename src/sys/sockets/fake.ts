import type { SocketEnd, Sockets } from './types.ts';

export interface FakeSockets extends Sockets {
  /** Connects one end in the namespace at `path`; whether it still is. */
  connect(local: SocketEnd, remote: SocketEnd, path?: string): () => boolean;
}

export function fakeSockets(): FakeSockets {
  const open = new Set<string>();
  const key = (local: SocketEnd, remote: SocketEnd, path = ''): string => `${path} ${local.address}:${local.port} ${remote.address}:${remote.port}`;
  return {
    connect: (local, remote, path) => {
      const own = key(local, remote, path);
      open.add(own);
      return () => open.has(own);
    },
    break: (local, remote, path) => open.delete(key(local, remote, path)),
  };
}
