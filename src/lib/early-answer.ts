import type { IncomingMessage, ServerResponse } from 'node:http';

/** Bytes of a refused body that are passed over; with more the connection is cut. */
const refusedBodyBytes = 256 * 1024 * 1024;

/**
 * Answers a request whose body has not all come. The rest of the body is passed over before the connection may end: to
 * close it at once would reset it, and the answer would be lost with it. A client that sends no more is cut by the
 * server's limit for requests, or holds nothing but its own connection.
 */
export async function answerEarly(request: IncomingMessage, response: ServerResponse, status: number, headers: Readonly<Record<string, string>>, body: Buffer): Promise<void> {
  response.writeHead(status, { ...headers, 'content-length': body.length, connection: 'close' });
  response.write(body);
  await passOver(request, response);
  response.end();
}

/** Resolves at the end of the body, or when the client is gone. */
function passOver(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let left = refusedBodyBytes;
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) request.destroy();
  });
  request.resume();
  return new Promise((resolve) => {
    for (const event of ['end', 'close', 'error']) request.once(event, () => resolve());
    response.once('close', () => resolve());
    if (request.complete || request.destroyed) resolve();
  });
}
