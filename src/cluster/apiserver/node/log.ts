import { pipeline } from 'node:stream/promises';
import type { ResourceExchange } from '../http/exchange.ts';
import { isTrue } from '../http/request-info.ts';
import { badRequest, statusFault } from '../status.ts';
import type { NodeDialer } from './dial.ts';
import { addressOfNode, containerOf, podOf } from './target.ts';
import type { Connector } from './types.ts';

const numbers = ['tailLines', 'limitBytes', 'sinceSeconds'] as const;
const flags = ['follow', 'previous', 'timestamps'] as const;
/** The most of a refusal that is passed on, in bytes. */
const refusalBytes = 64 * 1024;

/** `pods/log`: the output of a container, from its node. */
export function logConnector(dialer: NodeDialer): Connector {
  return {
    resource: 'pods',
    subresource: 'log',
    serve: async (exchange) => {
      const { server, target, info, response, signal } = exchange;
      const pod = podOf(server.core, target);
      const container = containerOf(pod, info.query.get('container') ?? '');
      const query = logQuery(info.query);
      const node = pod.spec.nodeName ?? '';
      // A pod that no node has yet has said nothing.
      if (node === '') return void response.writeHead(200, { 'content-type': 'text/plain' }).end();
      const path = ['', 'containerLogs', target.namespace, target.name, container].map(encodeURIComponent).join('/');
      const answer = await dialer.request(addressOfNode(server.core, node), `${path}?${query}`, { method: 'GET', signal });
      if ((answer.statusCode ?? 500) >= 400) throw await refusal(exchange, answer.statusCode ?? 500, answer);
      response.writeHead(200, { 'content-type': answer.headers['content-type'] ?? 'text/plain', 'cache-control': 'no-cache, private' });
      response.flushHeaders();
      await pipeline(answer, response).catch(() => response.destroy());
    },
  };
}

/** What was asked, checked, in the node's words. */
function logQuery(query: URLSearchParams): string {
  const passed = new URLSearchParams();
  for (const name of numbers) {
    const value = query.get(name);
    if (value === null) continue;
    const least = name === 'tailLines' ? 0 : 1;
    if (!/^\d{1,15}$/.test(value) || Number(value) < least) {
      throw statusFault('invalid', `PodLogOptions "" is invalid: ${name}: Invalid value: ${value}: must be greater than or equal to ${least}`, { code: 422, reason: 'Invalid' });
    }
    passed.set(name, value);
  }
  for (const name of flags) if (query.has(name) && isTrue(query.get(name))) passed.set(name, 'true');
  const since = query.get('sinceTime');
  if (since !== null) {
    if (passed.has('sinceSeconds')) {
      throw statusFault('invalid', 'PodLogOptions "" is invalid: at most one of `sinceTime` or `sinceSeconds` may be specified', { code: 422, reason: 'Invalid' });
    }
    if (Number.isNaN(Date.parse(since))) throw badRequest(`sinceTime: Invalid value: ${JSON.stringify(since)}: must be a time in RFC 3339`);
    passed.set('sinceTime', since);
  }
  const stream = query.get('stream');
  if (stream !== null && !['All', 'Stdout', 'Stderr'].includes(stream)) {
    throw statusFault('invalid', `PodLogOptions "" is invalid: stream: Unsupported value: ${JSON.stringify(stream)}`, { code: 422, reason: 'Invalid' });
  }
  if (stream !== null) passed.set('stream', stream);
  return passed.toString();
}

async function refusal({ target }: ResourceExchange, code: number, answer: AsyncIterable<Buffer>): Promise<Error> {
  let text = '';
  for await (const chunk of answer) if (text.length < refusalBytes) text += chunk.toString();
  const message = text.trim() === '' ? `the node of pod ${target.name} answered with code ${code}` : text.trim();
  if (code === 404) return statusFault('not-found', message);
  return code < 500 ? badRequest(message) : statusFault('internal', message);
}
