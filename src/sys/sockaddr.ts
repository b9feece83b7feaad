/** struct sockaddr of the families in use. Multi-byte fields of the host's order are little-endian (x86-64, arm64). */
import { Fault } from '#lib/errors.ts';
import { addressBytes, addressText } from './ip.ts';

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_SEQPACKET = 5;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;

/** sun_path, with its closing zero. */
export const unixPathLimit = 108;

export function encodeInet(address: string, port: number): { family: number; bytes: Buffer } {
  const ip = addressBytes(address);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Fault('invalid', `${port} is not a port; give 0 to 65535`);
  const family = ip.length === 4 ? AF_INET : AF_INET6;
  const bytes = Buffer.alloc(family === AF_INET ? 16 : 28);
  bytes.writeUInt16LE(family, 0);
  bytes.writeUInt16BE(port, 2);
  ip.copy(bytes, family === AF_INET ? 4 : 8);
  return { family, bytes };
}

export function decodeInet(bytes: Buffer): { address: string; port: number } {
  const v4 = bytes.readUInt16LE(0) === AF_INET;
  const ip = v4 ? bytes.subarray(4, 8) : bytes.subarray(8, 24);
  return { address: addressText(ip), port: bytes.readUInt16BE(2) };
}

/** The path must fit `unixPathLimit`. */
export function encodeUnix(path: string): Buffer {
  const name = Buffer.from(path);
  if (name.length >= unixPathLimit) throw new Fault('invalid', `the socket path ${path} is ${name.length} bytes and at most ${unixPathLimit - 1} fit`);
  const bytes = Buffer.alloc(2 + unixPathLimit);
  bytes.writeUInt16LE(AF_UNIX, 0);
  name.copy(bytes, 2);
  return bytes.subarray(0, 2 + name.length + 1);
}
