import { createServer, type Server } from 'node:net';
import { codeOf, Fault } from '#lib/errors.ts';

/**
 * At most one daemon works on a root. The lock is a socket in the kernel's abstract name space: it is held as long as
 * the process lives, however it ends, and leaves no file. Fault `conflict` where another holds it.
 */
export function lockRoot(root: string, instance: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const taken = codeOf(error) === 'EADDRINUSE';
      reject(taken ? new Fault('conflict', `another daemon works on ${root}, or is just starting: ask ./gantry status`) : error);
    });
    server.listen(`\0gantry-${instance}`, () => resolve(server.unref()));
  });
}
