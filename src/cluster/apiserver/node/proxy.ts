/** `nodes/proxy`: any request to the agent of a node. */
import { pipeline } from 'node:stream/promises';
import { bodyOf } from '../http/exchange.ts';
import { notFound } from '../status.ts';
import type { NodeDialer } from './dial.ts';
import { addressOfNode } from './target.ts';
import type { Connector } from './types.ts';

const passedHeaders = ['accept', 'accept-encoding', 'content-type'];

export function nodeProxyConnector(dialer: NodeDialer): Connector {
  return {
    resource: 'nodes',
    subresource: 'proxy',
    serve: async (exchange) => {
      const { server, target, info, request, response, signal } = exchange;
      if (!server.core.objects.of(target.resource).get('', target.name)) throw notFound(target.resource, target.name);
      const headers = Object.fromEntries(passedHeaders.map((name) => [name, request.headers[name]]).filter(([, value]) => value !== undefined)) as Record<string, string>;
      const query = info.query.size > 0 ? `?${info.query.toString()}` : '';
      const body = await bodyOf(exchange);
      const path = `/${info.rest.split('/').map(encodeURIComponent).join('/')}${query}`;
      const answer = await dialer.request(addressOfNode(server.core, target.name), path, { method: request.method ?? 'GET', headers, body, signal });
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      await pipeline(answer, response).catch(() => response.destroy());
    },
  };
}
