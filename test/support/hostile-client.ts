/** A client that does to a door what no honest client does. It speaks bytes, over a unix socket or TLS. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { readKubeconfig } from '#client/kube/kubeconfig.ts';

/** How to reach a door: bytes go through what `connect` gives. */
export interface DoorAddress {
  name: string;
  readonly connect: () => Promise<Socket>;
  /** A connection that goes no further than the kernel's part. */
  readonly bare: () => Promise<Socket>;
}

export function unixDoor(path: string): DoorAddress {
  const connect = (): Promise<Socket> => opened(connectSocket(path));
  return { name: 'docker', connect, bare: connect };
}

export async function kubeDoor(kubeconfig: string): Promise<DoorAddress> {
  const { server, ca, certificate, key } = await readKubeconfig(kubeconfig);
  const { hostname: host, port } = new URL(server);
  const address = { host, port: Number(port) };
  return {
    name: 'kube',
    connect: async () => {
      const socket = connectTls({ ...address, ca, cert: certificate, key });
      await once(socket, 'secureConnect');
      socket.on('error', () => {});
      return socket;
    },
    bare: () => opened(connectSocket(address)),
  };
}

async function opened(socket: Socket): Promise<Socket> {
  await once(socket, 'connect');
  socket.on('error', () => {});
  return socket;
}

export interface Said {
  /** 0 where the connection ended without an answer. */
  status: number;
  head: string;
  body: string;
}

/** All that comes until the end, or until a whole answer with a length is here. */
export async function hear(socket: Socket, limitMs = 30_000): Promise<Said> {
  let text = '';
  const timer = setTimeout(() => socket.destroy(), limitMs);
  try {
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      text += chunk.toString('latin1');
      if (isWhole(text)) break;
    }
  } catch {
    // a reset ends it as well
  }
  clearTimeout(timer);
  socket.destroy();
  const end = text.indexOf('\r\n\r\n');
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), head: text.slice(0, Math.max(0, end)), body: end < 0 ? '' : text.slice(end + 4) };
}

function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const head = text.slice(0, end).toLowerCase();
  const length = /\r\ncontent-length: (\d+)/.exec(head)?.[1];
  if (length !== undefined) return text.length >= end + 4 + Number(length);
  return /\r\ntransfer-encoding: chunked/.test(head) ? text.endsWith('0\r\n\r\n') : /^http\/1\.1 (204|304)/.test(head);
}

/** Sends bytes as they are and hears what is said to it. */
export async function say(door: DoorAddress, bytes: string | Buffer): Promise<Said> {
  const socket = await door.connect();
  socket.write(bytes);
  return hear(socket);
}

const piece = Buffer.alloc(1 << 20, 0x20);

/** A request with a body of `bytes` blanks, sent as fast as the door takes it, until it has answered. */
export async function sendBody(door: DoorAddress, request: { method: string; path: string; type?: string; bytes: number; chunked?: boolean }): Promise<Said & { sent: number }> {
  const socket = await door.connect();
  const length = request.chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${request.bytes}`;
  socket.write(`${request.method} ${request.path} HTTP/1.1\r\nHost: x\r\nContent-Type: ${request.type ?? 'application/json'}\r\n${length}\r\nConnection: close\r\n\r\n`);
  // what is taken (an import) is worked through before the answer
  const said = hear(socket, 180_000);
  let sent = 0;
  while (sent < request.bytes && !socket.destroyed) {
    const part = piece.subarray(0, Math.min(piece.length, request.bytes - sent));
    if (request.chunked) socket.write(`${part.length.toString(16)}\r\n`);
    const more = socket.write(part);
    if (request.chunked) socket.write('\r\n');
    sent += part.length;
    if (!more) await writable(socket);
  }
  if (request.chunked && !socket.destroyed) socket.write('0\r\n\r\n');
  return { ...(await said), sent };
}

/** Resolves when the socket takes more, or is closed. */
function writable(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.on('drain', done).on('close', done);
    if (socket.destroyed) done();
  });
}

/** Connections that say `first` (nothing: only connect) and then hang. Those that could not be made are left out. */
export async function hang(count: number, make: () => Promise<Socket>, first = ''): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (let made = 0; made < count; made += 200) {
    const some = await Promise.allSettled(Array.from({ length: Math.min(200, count - made) }, make));
    for (const result of some) {
      if (result.status !== 'fulfilled') continue;
      sockets.push(result.value);
      if (first !== '') result.value.write(first);
    }
  }
  return sockets;
}

/** Resident bytes of a process. */
export function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}

/** The most that the process had resident while `work` ran, beyond what it had before, in bytes. */
export async function growth(pid: number, work: () => Promise<void>): Promise<number> {
  const before = residentBytes(pid);
  let most = before;
  const timer = setInterval(() => (most = Math.max(most, residentBytes(pid))), 20);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return Math.max(most, residentBytes(pid)) - before;
}
