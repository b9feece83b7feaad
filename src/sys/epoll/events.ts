/** struct epoll_event, which is packed on x86 alone. */
import { arch } from 'node:process';

export const EPOLLIN = 0x1;
export const EPOLLOUT = 0x4;
export const EPOLLERR = 0x8;
export const EPOLLHUP = 0x10;
export const EPOLLRDHUP = 0x2000;
export const EPOLLONESHOT = 0x40000000;

const packed = arch === 'x64' || arch === 'ia32';
export const eventSize = packed ? 12 : 16;
const dataOffset = packed ? 4 : 8;

export function encodeEvent(events: number, id: number): Buffer {
  const bytes = Buffer.alloc(eventSize);
  bytes.writeUInt32LE(events >>> 0, 0);
  bytes.writeUInt32LE(id, dataOffset);
  return bytes;
}

export function decodeEvent(bytes: Buffer, index: number): { events: number; id: number } {
  const at = index * eventSize;
  return { events: bytes.readUInt32LE(at), id: bytes.readUInt32LE(at + dataOffset) };
}
