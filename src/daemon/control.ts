import type { IncomingMessage, Server } from 'node:http';
import { rmSync } from 'node:fs';
import type { ControlError, NodeAnswer, NodeRequest } from '#api/gantry/nodes.ts';
import type { Status } from '#api/gantry/status.ts';
import { Fault, isFault, messageOf } from '#lib/errors.ts';
import { createServer } from '#lib/node-http.ts';
import { listenOnSocket } from '#lib/unix-socket.ts';

/** What Gantry's own commands ask the daemon. */
export interface ControlBackend {
  status(): Promise<Status>;
  nodes(request: NodeRequest): Promise<NodeAnswer>;
}

/** The largest request that is read, in bytes. */
const requestBytes = 4096;

/** The control socket. */
export async function serveControl(path: string, backend: ControlBackend): Promise<{ close(): Promise<void> }> {
  rmSync(path, { force: true });
  const server: Server = createServer((request, response) => {
    const answer = (code: number, value: Status | NodeAnswer | ControlError): void => void response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    const handle = routes[`${request.method} ${request.url}`];
    if (!handle) answer(404, { error: `there is no ${request.method} ${request.url}` });
    else handle(backend, request).then((value) => answer(200, value), (error: unknown) => answer(isFault(error, 'internal') || !isFault(error) ? 500 : 409, { error: messageOf(error) }));
  });
  await listenOnSocket(server, path, 0o600);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const routes: Readonly<Record<string, (backend: ControlBackend, request: IncomingMessage) => Promise<Status | NodeAnswer>>> = {
  'GET /status': (backend) => backend.status(),
  'POST /nodes': async (backend, request) => backend.nodes(await bodyOf(request)),
};

async function bodyOf(request: IncomingMessage): Promise<NodeRequest> {
  let text = '';
  for await (const chunk of request as AsyncIterable<Buffer>) {
    text += chunk.toString();
    if (text.length > requestBytes) throw new Fault('too-large', `a request has at most ${requestBytes} bytes`);
  }
  return JSON.parse(text) as NodeRequest;
}
