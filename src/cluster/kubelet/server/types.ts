/**
 * The kubelet's server: what the API server asks a node for in its users' name.
 *
 * A request is answered (logs, health), or its connection is *upgraded* and becomes a stream: of a command (exec,
 * attach), of forwarded ports, or of the bytes of one connection to a port of a pod. Each upgrade is one *route*, a
 * value in the list of `routes.ts`, named by the first part of its path; what follows names the pod.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { NodeContext } from '../types.ts';
import type { PodLookup } from './target.ts';

export interface UpgradeRequest {
  node: NodeContext;
  pods: PodLookup;
  request: IncomingMessage;
  socket: Duplex;
  head: Buffer;
  /** Of the path, after the route's own: namespace, pod, container or port. */
  parts: string[];
  query: URLSearchParams;
}

export interface UpgradeRoute {
  path: string;
  /** Throws before it has answered: the fault becomes the answer. */
  serve(upgrade: UpgradeRequest): Promise<void>;
}
