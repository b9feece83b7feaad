import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { linuxNamespaces } from '../netns/linux.ts';
import { onLinuxAsRoot } from '../testing.ts';
import { fakeSockets } from './fake.ts';
import { linuxSockets } from './linux.ts';
import { socketsSuite, type SocketsUnderTest } from './suite.ts';

socketsSuite('fake', () => {
  const sockets = fakeSockets();
  let port = 40_000;
  const connect = async (): ReturnType<SocketsUnderTest['connect']> => {
    const ends = { local: { address: '127.0.0.1', port: port++ }, remote: { address: '127.0.0.1', port: 80 } };
    const connected = sockets.connect(ends.local, ends.remote, '/a');
    return { ...ends, connected: async () => connected() };
  };
  return { sockets, path: '/a', connect, release: () => {} };
});
onLinuxAsRoot('sockets', () => socketsSuite('linux', inNamespace));

function inNamespace(): SocketsUnderTest {
  const namespaces = linuxNamespaces();
  const top = mkdtempSync(join(tmpdir(), 'gantry-sk-'));
  const path = join(top, 'a');
  namespaces.pin('net', path);
  const { fd, port } = namespaces.listen(path, 'tcp', '127.0.0.1', 0);
  const accepted: Socket[] = [];
  const server = createServer((socket) => accepted.push(socket.on('error', () => {}))).listen({ fd });
  const sockets: Socket[] = [];
  const connect = async (): ReturnType<SocketsUnderTest['connect']> => {
    const socket = new Socket({ fd: (await namespaces.connect(path, '127.0.0.1', port)).fd });
    sockets.push(socket.on('error', () => {}).resume());
    const ended = new Promise<boolean>((resolve) => socket.once('close', () => resolve(false)));
    const local = { address: '127.0.0.1', port: socket.localPort ?? 0 };
    return { local, remote: { address: '127.0.0.1', port }, connected: () => Promise.race([ended, sleep(100, true)]) };
  };
  const release = (): void => {
    for (const socket of [...sockets, ...accepted]) socket.destroy();
    server.close();
    namespaces.unpin(path);
    rmSync(top, { recursive: true });
  };
  return { sockets: linuxSockets(), path, connect, release };
}
