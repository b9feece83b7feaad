/** The read side of the distribution API for the nodes of the cluster: on the kubelet's server, or on a listener of its own. */
import { createServer } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { createImageServer } from '#core/images/serve/serve.ts';
import type { ImageServer } from '#core/images/serve/serve.ts';
import type { Images } from '#core/images/types.ts';
import { Fault } from '#lib/errors.ts';

const nodeGroup = 'system:nodes';

/** Who a client is by its certificate, which the server has verified. */
export function subjectOf(request: IncomingMessage): { name: string; groups: string[] } {
  const { CN, O } = (request.socket as TLSSocket).getPeerCertificate().subject ?? {};
  return { name: String(CN), groups: [O ?? []].flat() };
}

/** Answers the agents of nodes, and nobody else. */
export function serveImagesToNodes(images: Images): ImageServer {
  return createImageServer(images, (request) => {
    const { name, groups } = subjectOf(request);
    if (!groups.includes(nodeGroup)) throw new Fault('forbidden', `${name} is no node of this cluster: only nodes read its images here`);
  });
}

export interface ImageListenerOptions {
  images: Images;
  /** PEM: what the server proves itself by, and the authority of its clients. */
  tls: { cert: string; key: string; clientCa: string };
  host: string;
  /** Default: any free one. */
  port?: number;
}

export interface ImageListener {
  port: number;
  close(): Promise<void>;
}

/** Serves a store that belongs to no node's agent (the engine's) to the nodes. */
export async function listenForNodes({ images, tls, host, port = 0 }: ImageListenerOptions): Promise<ImageListener> {
  const serving = serveImagesToNodes(images);
  const server = createServer({ cert: tls.cert, key: tls.key, ca: tls.clientCa, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.2' });
  server.on('request', (request, response) => {
    if (serving.has(request.url ?? '')) void serving.answer(request, response);
    else response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found\n');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host }, () => resolve());
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
