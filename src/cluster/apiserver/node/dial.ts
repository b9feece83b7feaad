/** Connections to the agents of nodes, which must show a certificate of the cluster's authority. */
import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { connect } from 'node:tls';
import { codeOf, messageOf } from '#lib/errors.ts';
import { statusFault, unreachable } from '../status.ts';
import type { NodeAddress } from './target.ts';

/** How this server proves itself to nodes, and whom it trusts there; PEM. */
export interface NodeAccess {
  ca: string;
  certificate: string;
  key: string;
}

const idleMs = 30_000;
const mostSockets = 256;

export class NodeDialer {
  readonly #access: NodeAccess;
  readonly #agent: Agent;

  constructor(access: NodeAccess) {
    this.#access = access;
    const { ca, certificate: cert, key } = access;
    this.#agent = new Agent({ ca, cert, key, keepAlive: true, keepAliveMsecs: idleMs, maxSockets: mostSockets });
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Sends a request whose answer is a stream. Throws `unavailable` where the node does not answer. */
  async request(to: NodeAddress, path: string, options: { method: string; headers?: IncomingHttpHeaders; body?: Buffer; signal: AbortSignal }): Promise<IncomingMessage> {
    const { method, headers, body, signal } = options;
    const request = httpsRequest({ host: to.host, port: to.port, path, method, headers, agent: this.#agent, signal });
    request.on('error', () => {});
    request.end(body);
    try {
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      return response;
    } catch (error) {
      // the node closed a connection that was kept, just as it was used again
      if (request.reusedSocket && codeOf(error) === 'ECONNRESET' && method === 'GET') return this.request(to, path, options);
      throw dialFailed(to, error);
    }
  }

  /** A connection to a port of a pod, which its node makes. Throws `unavailable` where nobody listens there. */
  connectPod(to: NodeAddress, { namespace, pod, port }: PodPort, signal: AbortSignal): Promise<Duplex> {
    const path = ['', 'podConnect', namespace, pod, String(port)].map(encodeURIComponent).join('/');
    const { ca, certificate: cert, key } = this.#access;
    const headers = { connection: 'Upgrade', upgrade: 'tcp' };
    const request = httpsRequest({ host: to.host, port: to.port, path, ca, cert, key, agent: false, headers, signal });
    request.end();
    return new Promise((resolve, reject) => {
      request.on('upgrade', (_, socket, head) => {
        if (head.length > 0) socket.unshift(head);
        resolve(socket);
      });
      request.on('response', (response) => void refusedBy(response).then(reject, reject));
      request.on('error', (error) => reject(dialFailed(to, error)));
    });
  }

  /** A connection for bytes as they are; the caller ends it. */
  async connect({ host, port, node }: NodeAddress): Promise<TLSSocket> {
    const { ca, certificate: cert, key } = this.#access;
    const options = { host, port, ca, cert, key, ALPNProtocols: ['http/1.1'], allowHalfOpen: true };
    const socket = connect(options);
    try {
      await once(socket, 'secureConnect');
      return socket;
    } catch (error) {
      socket.destroy();
      throw dialFailed({ host, port, node }, error);
    }
  }
}

/** A port of a pod, as its node knows it. */
export interface PodPort {
  namespace: string;
  pod: string;
  port: number;
}

/** The most of a node's refusal that is passed on, in characters. */
const refusalChars = 4096;

async function refusedBy(response: IncomingMessage): Promise<Error> {
  let text = '';
  for await (const chunk of response) if (text.length < refusalChars) text += String(chunk);
  return unreachable(text.trim() || `its node answered with code ${response.statusCode}`);
}

function dialFailed({ node, host, port }: NodeAddress, cause: unknown): Error {
  return statusFault('unavailable', `error dialing backend: node ${node} at ${host}:${port}: ${messageOf(cause)}`, { code: 502, cause });
}
