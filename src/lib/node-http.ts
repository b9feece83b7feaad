/**
 * `node:http`, without what importing it loads besides: an `import` reads each of its exports, and `WebSocket` among them
 * brings a whole second HTTP client (50 ms and 12 MiB of every command and of the daemon's start).
 */
import type * as http from 'node:http';

export const { Agent, ServerResponse, createServer, request } = process.getBuiltinModule('node:http');
export type ServerResponse = http.ServerResponse;
