import { addressBytes } from '../ip.ts';
import { errnoOf } from '../errno.ts';
import { NetlinkSocket } from '../netlink/socket.ts';
import { inNamespace } from '../netns/linux.ts';
import type { SocketEnd, Sockets } from './types.ts';

const NETLINK_SOCK_DIAG = 4;
const SOCK_DESTROY = 21;
const AF_INET = 2;
const IPPROTO_TCP = 6;
const anyState = 0xffffffff;
const noCookie = 0xffffffff;
/** No such socket; a kernel without the right to end others' (CONFIG_INET_DIAG_DESTROY); one without the facility. */
const fine = new Set(['ENOENT', 'EOPNOTSUPP', 'EPROTONOSUPPORT']);

export function linuxSockets(): Sockets {
  const open = (): NetlinkSocket => new NetlinkSocket(NETLINK_SOCK_DIAG);
  return {
    break: (local, remote, path) => {
      try {
        const socket = path === undefined ? open() : inNamespace('net', path, open);
        try {
          socket.request(SOCK_DESTROY, 0, oneSocket(local, remote), `break the connection from ${local.address}:${local.port}`);
          return true;
        } finally {
          socket.close();
        }
      } catch (error) {
        if (fine.has(errnoOf(error) ?? '')) return false;
        throw error;
      }
    },
  };
}

/** struct inet_diag_req_v2 (linux/inet_diag.h). */
function oneSocket(local: SocketEnd, remote: SocketEnd): Buffer {
  const bytes = Buffer.alloc(56);
  bytes[0] = AF_INET;
  bytes[1] = IPPROTO_TCP;
  bytes.writeUInt32LE(anyState, 4);
  bytes.writeUInt16BE(local.port, 8);
  bytes.writeUInt16BE(remote.port, 10);
  addressBytes(local.address).copy(bytes, 12);
  addressBytes(remote.address).copy(bytes, 28);
  bytes.writeUInt32LE(noCookie, 48);
  bytes.writeUInt32LE(noCookie, 52);
  return bytes;
}
