import { chmodSync } from 'node:fs';
import type { Server } from 'node:net';

/** Listens on a unix socket that has its mode from the first moment: nobody else connects in between. Rejects with the system's error. */
export async function listenOnSocket(server: Server, path: string, mode: number, backlog?: number): Promise<void> {
  const before = process.umask(0o777 & ~mode);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      // the socket is made within the call
      server.listen({ path, ...(backlog === undefined ? {} : { backlog }) }, () => resolve());
      process.umask(before);
    });
  } finally {
    process.umask(before);
  }
  chmodSync(path, mode);
}
