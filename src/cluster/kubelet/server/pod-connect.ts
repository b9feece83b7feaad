/** One connection to a port of a pod, as bytes: the API server's proxy speaks HTTP over it. */
import { Socket } from 'node:net';
import { Fault, messageOf } from '#lib/errors.ts';
import { podAddress } from '../pod/sandbox.ts';
import { findPod, networkOf } from './target.ts';
import type { UpgradeRequest } from './types.ts';

export async function servePodConnect({ node, pods, parts, socket, head }: UpgradeRequest): Promise<void> {
  const [namespace = '', name = '', portText = ''] = parts;
  const pod = findPod(pods, namespace, name);
  const port = Number(portText);
  if (!/^\d+$/.test(portText) || port < 1 || port > 65_535) throw new Fault('invalid', `${JSON.stringify(portText)} is no port; give a number from 1 to 65535`);
  const network = networkOf(node, pod, 'connect');
  const address = podAddress(node, pod);
  if (address === undefined) throw new Fault('unavailable', `pod ${namespace}/${name} has no address yet`);
  const inside = await open(address, port, () => node.core.kernel.namespaces.connect(network, address, port));
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n');
  inside.write(head);
  const cut = (): void => {
    socket.destroy();
    inside.destroy();
  };
  for (const end of [socket, inside]) end.on('error', cut);
  socket.once('close', cut);
  inside.once('close', () => socket.end());
  socket.pipe(inside);
  inside.pipe(socket);
}

async function open(address: string, port: number, connect: () => Promise<{ fd: number }>): Promise<Socket> {
  try {
    return new Socket({ fd: (await connect()).fd, allowHalfOpen: true });
  } catch (error) {
    throw new Fault('unavailable', `dial tcp ${address}:${port}: ${messageOf(error)}`, { cause: error });
  }
}
