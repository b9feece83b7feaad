import type { Duplex } from 'node:stream';
import type { ResourceExchange } from '../http/exchange.ts';

/** A subresource that opens a stream to a node. */
export interface Connector {
  resource: string;
  subresource: string;
  /** A plain request. */
  serve(exchange: ResourceExchange): Promise<void>;
  /** A request to upgrade the connection; absent where there is nothing to upgrade to. */
  upgrade?(exchange: UpgradeExchange): Promise<void>;
}

/** An upgrade under way: `response` does not exist, the socket is the connector's. */
export interface UpgradeExchange extends Omit<ResourceExchange, 'response'> {
  socket: Duplex;
  /** Bytes that came with the request. */
  head: Buffer;
}

export type Connectors = readonly Connector[];
