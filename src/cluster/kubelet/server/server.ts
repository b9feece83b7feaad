/** The kubelet's HTTPS server. Its clients are the API server and, for images, other nodes; they prove themselves by certificates. */
import { createServer } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { asFault, Fault, messageOf } from '#lib/errors.ts';
import type { FaultKind } from '#lib/errors.ts';
import type { NodeContext } from '../types.ts';
import { serveImagesToNodes, subjectOf } from '../images/serve.ts';
import { serveLogs } from './logs.ts';
import { upgradeRoutes } from './routes.ts';
import type { PodLookup } from './target.ts';

export interface KubeletServer {
  port: number;
  close(): Promise<void>;
}

const statusCodes: Partial<Record<FaultKind, number>> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'not-implemented': 501,
  unavailable: 503,
};

export async function startServer(node: NodeContext, pods: PodLookup): Promise<KubeletServer> {
  const { cert, key, clientCa, host, port } = node.server;
  const server = createServer({ cert, key, ca: clientCa, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.2' });
  const sockets = new Set<Duplex>();
  server.on('secureConnection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  const images = serveImagesToNodes(node.core.images);
  server.on('request', (request, response) => void (images.has(request.url ?? '') ? images.answer(request, response) : answer(node, pods, request, response)));
  server.on('upgrade', (request, socket, head) => void upgrade(node, pods, request, socket, head));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: port ?? 0, ...(host === undefined ? {} : { host }) }, () => resolve());
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** The authority signs users' certificates too: only the API server, and who may do everything anyway, is served. */
const clientName = 'kube-apiserver-kubelet-client';
const clientGroup = 'system:masters';

function checkClient(request: IncomingMessage): void {
  const { name, groups } = subjectOf(request);
  if (name === clientName || groups.includes(clientGroup)) return;
  throw new Fault('forbidden', `${name} may not use this node's agent; ask the API server`);
}

async function answer(node: NodeContext, pods: PodLookup, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    checkClient(request);
    const { parts, query } = parse(request);
    if (parts[0] === 'healthz' && parts.length === 1) response.writeHead(200, { 'content-type': 'text/plain' }).end('ok');
    else if (parts[0] === 'containerLogs' && parts.length === 4 && request.method === 'GET') {
      await serveLogs(node, pods, { namespace: parts[1]!, pod: parts[2]!, container: parts[3]! }, query, response);
    } else response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found\n');
  } catch (error) {
    const fault = asFault(error);
    if (response.headersSent) response.destroy();
    else response.writeHead(statusCodes[fault.kind] ?? 500, { 'content-type': 'text/plain' }).end(`${fault.message}\n`);
  }
}

async function upgrade(node: NodeContext, pods: PodLookup, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  socket.on('error', () => {});
  try {
    checkClient(request);
    const { parts, query } = parse(request);
    const route = upgradeRoutes.find((candidate) => candidate.path === parts[0]);
    if (!route) refuse(socket, 404, '404 page not found');
    else await route.serve({ node, pods, request, socket, head, parts: parts.slice(1), query });
  } catch (error) {
    const fault = asFault(error);
    node.log.debug('a stream was refused', { path: request.url ?? '', error: messageOf(error) });
    refuse(socket, statusCodes[fault.kind] ?? 500, fault.message);
  }
}

function parse(request: IncomingMessage): { parts: string[]; query: URLSearchParams } {
  const url = new URL(request.url ?? '/', 'https://kubelet');
  return { parts: url.pathname.split('/').filter((part) => part !== '').map(decodeURIComponent), query: url.searchParams };
}

const phrases: Record<number, string> = { 400: 'Bad Request', 403: 'Forbidden', 404: 'Not Found', 409: 'Conflict', 500: 'Internal Server Error', 501: 'Not Implemented', 503: 'Service Unavailable' };

function refuse(socket: Duplex, code: number, message: string): void {
  const body = `${message}\n`;
  socket.end(`HTTP/1.1 ${code} ${phrases[code] ?? 'Error'}\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`);
}
