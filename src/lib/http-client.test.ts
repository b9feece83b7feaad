import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { isFault } from './errors.ts';
import { connectionMessage, createHttpTransport } from './http-client.ts';
import type { HttpAnswer } from './http-client.ts';

async function serve(t: TestContext, listener: RequestListener, port = 0): Promise<URL> {
  const server = createServer(listener).listen(port, '127.0.0.1');
  await once(server, 'listening'); // rejects where the port is taken
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/x`);
}

async function textOf(answer: HttpAnswer): Promise<string> {
  let text = '';
  for await (const chunk of answer.body) text += Buffer.from(chunk).toString();
  return text;
}

test('a port that browsers forbid is a port like any other', async (t) => {
  // Of the fetch standard's list, the first that no other program has.
  let url: URL | undefined;
  for (const port of [10080, 6697, 6669, 6668, 6566]) url ??= await serve(t, (_request, response) => response.end('here'), port).catch(() => undefined);
  assert.ok(url);
  assert.equal(await textOf(await createHttpTransport()({ method: 'GET', url })), 'here');
});

test('bodies go out whole or in pieces, and a connection is used again', async (t) => {
  const seen: string[] = [];
  const sockets = new Set<unknown>();
  const url = await serve(t, (request, response) => {
    sockets.add(request.socket);
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      seen.push(`${request.method} ${request.headers['content-length'] ?? request.headers['transfer-encoding']} ${body}`);
      response.writeHead(201, { location: '/next' }).end('made');
    });
  });
  const send = createHttpTransport();
  async function* pieces(): AsyncGenerator<Buffer> {
    yield Buffer.from('ab');
    yield Buffer.from('cd');
  }
  for (const body of [Buffer.from('whole'), new Uint8Array(), pieces()]) {
    const answer = await send({ method: 'POST', url, body });
    assert.deepEqual([answer.status, answer.headers['location'], await textOf(answer)], [201, '/next', 'made']);
  }
  assert.deepEqual(seen, ['POST 5 whole', 'POST 0 ', 'POST chunked abcd']);
  assert.equal(sockets.size, 1);
});

test('a server that says nothing, or stops in the middle, is left after the idle time; one that is not there at once', async (t) => {
  const url = await serve(t, (request, response) => {
    if (request.url === '/half') response.writeHead(200, { 'content-length': 10 }).write('half');
  });
  const send = createHttpTransport({ idleMs: 50 });
  await assert.rejects(send({ method: 'GET', url }), (e) => isFault(e, 'timeout') && e.message === `${url.host} did not go on within 0.05 s`);
  const answer = await send({ method: 'GET', url: new URL('/half', url) });
  await assert.rejects(textOf(answer));
  await assert.rejects(send({ method: 'GET', url: new URL('http://127.0.0.1:1/') }), (e) => /ECONNREFUSED 127\.0\.0\.1:1/.test(connectionMessage(e)));
});

test('its signal ends a request and a body', async (t) => {
  const url = await serve(t, (request, response) => {
    if (request.url === '/half') response.writeHead(200).write('half');
  });
  const send = createHttpTransport();
  const [first, second] = [new AbortController(), new AbortController()];
  const waiting = assert.rejects(send({ method: 'GET', url, signal: first.signal }), { name: 'AbortError' });
  first.abort();
  await waiting;
  const answer = await send({ method: 'GET', url: new URL('/half', url), signal: second.signal });
  const reading = assert.rejects(textOf(answer));
  second.abort();
  await reading;
});

test('a kept connection that its server closes as it is used again is no failure, where the body can be sent again', async (t) => {
  const used = new Set<unknown>();
  let closed = 0;
  const url = await serve(t, (request, response) => {
    if (used.has(request.socket)) {
      closed++;
      request.socket.destroy();
      return;
    }
    used.add(request.socket);
    request.pipe(response);
  });
  const transport = createHttpTransport();
  for (const body of ['one', 'two', 'three']) assert.equal(await textOf(await transport({ method: 'POST', url, body: Buffer.from(body) })), body);
  assert.equal(closed, 2);
  await assert.rejects(transport({ method: 'POST', url, body: (async function* () { yield Buffer.from('a'); })() }), { code: 'ECONNRESET' });
});
