import type { Server } from 'node:http';
import { chmodSync, rmSync } from 'node:fs';
import type { Status } from '#api/gantry/status.ts';
import { messageOf } from '#lib/errors.ts';
import { createServer } from '#lib/node-http.ts';

/** The control socket: what Gantry's own commands ask the daemon. */
export async function serveControl(path: string, status: () => Promise<Status>): Promise<{ close(): Promise<void> }> {
  rmSync(path, { force: true });
  const server: Server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/status') {
      response.writeHead(404).end();
      return;
    }
    status().then(
      (value) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value)),
      (error: unknown) => response.writeHead(500).end(messageOf(error)),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
