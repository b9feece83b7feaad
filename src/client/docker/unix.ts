import { request } from 'node:http';
import type { Readable } from 'node:stream';
import { Fault, codeOf } from '#lib/errors.ts';
import type { DockerTransport } from './types.ts';

/** HTTP on the engine's unix socket. Faults: `unavailable` where nobody listens. */
export function unixTransport(socketPath: string): DockerTransport {
  return ({ method, path, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const call = request({ socketPath, method, path, headers, signal }, (response) => resolve({ status: response.statusCode ?? 0, body: response }));
      call.on('error', (error) => reject(asFault(error, socketPath)));
      if (body === undefined || typeof body === 'string') {
        call.end(body);
        return;
      }
      send(body, call, reject);
    });
}

/** The server may answer, and close, before it has read all: then the answer says why. */
function send(body: Readable, call: NodeJS.WritableStream, reject: (error: unknown) => void): void {
  body.on('error', reject);
  body.pipe(call);
}

function asFault(error: unknown, socketPath: string): unknown {
  const code = codeOf(error);
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return new Fault('unavailable', `no engine answers at ${socketPath}: start Gantry with ./gantry up`, { cause: error });
  }
  return error;
}
