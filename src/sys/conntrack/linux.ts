import { isFault } from '#lib/errors.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '../netlink/socket.ts';
import { inNamespace } from '../netns/linux.ts';
import { allConnections, CT_DELETE, CT_GET, decodeTracked, oneConnection } from './codec.ts';
import type { Conntrack } from './types.ts';

export function linuxConntrack(): Conntrack {
  const open = (): NetlinkSocket => new NetlinkSocket(NETLINK_NETFILTER);
  return {
    forget: (test, path) => {
      const socket = path === undefined ? open() : inNamespace('net', path, open);
      try {
        return forget(socket, test);
      } finally {
        socket.close();
      }
    },
  };
}

function forget(socket: NetlinkSocket, test: Parameters<Conntrack['forget']>[0]): number {
  let count = 0;
  for (const { payload } of socket.dump(CT_GET, allConnections(), 'list tracked connections')) {
    const connection = decodeTracked(payload);
    if (!connection || !test(connection)) continue;
    try {
      socket.request(CT_DELETE, 0, oneConnection(connection), 'forget a tracked connection');
      count++;
    } catch (error) {
      if (!isFault(error, 'not-found')) throw error; // it ended meanwhile
    }
  }
  return count;
}
