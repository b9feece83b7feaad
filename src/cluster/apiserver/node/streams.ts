/** `exec`, `attach` and `portforward`: the upgrade is the node's to answer; what follows passes through as bytes. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { refusal as refused } from '../authz/refusal.ts';
import { badRequest, conflict } from '../status.ts';
import type { NodeDialer } from './dial.ts';
import { addressOfNode, containerOf, podOf } from './target.ts';
import type { Connector, UpgradeExchange } from './types.ts';

interface Stream {
  subresource: string;
  /** The first part of the node's path. */
  path: string;
  /** The stream is of one container, not of the pod. */
  ofContainer: boolean;
}

const streams: readonly Stream[] = [
  { subresource: 'exec', path: 'exec', ofContainer: true },
  { subresource: 'attach', path: 'attach', ofContainer: true },
  { subresource: 'portforward', path: 'portForward', ofContainer: false },
];

/** Of the client alone, or of this hop. */
const ownHeaders = /^(host|authorization|content-length|impersonate-.*|x-forwarded-.*)$/;

export function streamConnectors(dialer: NodeDialer): Connector[] {
  return streams.map((stream) => ({
    resource: 'pods',
    subresource: stream.subresource,
    serve: async () => {
      throw badRequest('Upgrade request required');
    },
    upgrade: async (exchange) => {
      const { server, target, info } = exchange;
      alsoCreate(exchange);
      const pod = podOf(server.core, target);
      const container = stream.ofContainer ? [containerOf(pod, info.query.get('container') ?? '')] : [];
      const node = pod.spec.nodeName ?? '';
      if (node === '') throw badRequest(`pod ${target.name} does not have a host assigned`);
      if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') {
        throw conflict(target.resource, target.name, `cannot ${stream.subresource} in a container of a completed pod; current phase is ${pod.status.phase}`);
      }
      const path = ['', stream.path, target.namespace, target.name, ...container].map(encodeURIComponent).join('/');
      const query = new URLSearchParams(info.query);
      query.delete('container');
      const upstream = await dialer.connect(addressOfNode(server.core, node));
      upstream.write(requestHead(exchange.request, `${path}?${query.toString()}`, node));
      upstream.write(exchange.head);
      join(exchange.socket, upstream, exchange.signal);
    },
  }));
}

/** A WebSocket arrives as GET, and does what needs the right to create. */
function alsoCreate({ server, user, info }: UpgradeExchange): void {
  if (info.verb === 'create' || !info.resource) return;
  const attributes = { user, verb: 'create', resource: info.resource };
  const { allowed, reason } = server.authorizer.authorize(attributes);
  if (!allowed) throw refused(attributes, reason);
}

/** The request as the next hop gets it, without what is for the API server alone. */
export function requestHead(request: IncomingMessage, path: string, host: string): string {
  const lines = [`${request.method} ${path} HTTP/1.1`, `Host: ${host}`];
  const { rawHeaders } = request;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    if (!ownHeaders.test(name.toLowerCase())) lines.push(`${name}: ${rawHeaders[i + 1] ?? ''}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/**
 * Bytes both ways; the end of one direction leaves the other open. When the node is done the client gets all that
 * came, and closes; when the client has gone, or either side fails, all ends at once.
 */
export function join(client: Duplex, node: Duplex, signal: AbortSignal): void {
  const cut = (): void => {
    client.destroy();
    node.destroy();
  };
  client.on('error', cut);
  node.on('error', cut);
  client.once('close', cut);
  node.once('close', () => {
    client.end();
    signal.removeEventListener('abort', cut);
  });
  signal.addEventListener('abort', cut, { once: true });
  client.pipe(node);
  node.pipe(client);
}
