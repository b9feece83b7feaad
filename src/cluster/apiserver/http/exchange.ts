import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Target, User } from '../types.ts';
import type { Server } from '../server-core.ts';
import { readBody } from './body.ts';
import type { RequestInfo } from './request-info.ts';

/** One HTTP request under way, known and allowed. */
export interface Exchange {
  server: Server;
  request: IncomingMessage;
  response: ServerResponse;
  info: RequestInfo;
  user: User;
  warnings: string[];
  /** Aborted when the client goes or the server stops. */
  signal: AbortSignal;
}

export interface ResourceExchange extends Exchange {
  target: Target;
}

export type Handler = (exchange: ResourceExchange) => Promise<void>;

export function bodyOf(exchange: Exchange): Promise<Buffer> {
  return readBody(exchange.request);
}
