import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from './clock.ts';
import { createServer } from './node-http.ts';
import type { Clock } from './clock.ts';
import { answerEarly, boundUnread, unreadBytes, unreadMs } from './unread-body.ts';

/** Time goes ten times as fast for the server. */
const times = 10;
const clock: Clock = { ...systemClock, now: () => systemClock.now(), monotonic: () => systemClock.monotonic() * BigInt(times), after: (ms, fn) => systemClock.after(ms / times, fn) };
const longestMs = unreadMs / times;

/** Answers without a look at the body; with `/part` it reads the beginning first; `/done`: there is nothing wrong, and `?last` the client wants no more. */
const server = createServer((request, response) => {
  boundUnread(request, response, clock);
  const refuse = (): void => {
    if (request.url?.startsWith('/done')) response.writeHead(403, { 'content-length': 2 }).end('no');
    else void answerEarly(request, response, 403, {}, Buffer.from('no'), clock);
  };
  if (request.url !== '/part') refuse();
  else request.once('data', () => {
    request.pause();
    refuse();
  });
});
before(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
after(() => server.close());

const head = (path: string): string => `POST ${path} HTTP/1.1\r\nHost: x\r\n${path === '/done?last' ? 'Connection: close\r\n' : ''}Transfer-Encoding: chunked\r\n\r\n`;

/** A client that sends pieces until it is cut, `pauseMs` between them. */
async function upload(path: string, bytes: number, pauseMs: number): Promise<{ heard: string; sent: number; ms: number }> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(socket, 'connect');
  const start = performance.now();
  let heard = '';
  socket.on('error', () => {}).on('data', (data: Buffer) => (heard += data.toString()));
  socket.write(head(path));
  const piece = `${bytes.toString(16)}\r\n${'x'.repeat(bytes)}\r\n`;
  for (; !socket.destroyed && performance.now() - start < longestMs * 4; await sleep(pauseMs)) {
    if (!socket.write(piece)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
  }
  return { heard, sent: socket.bytesWritten, ms: performance.now() - start };
}

for (const path of ['/', '/part', '/done', '/done?last']) {
  test(`an endless body of a request that was refused is cut, and the refusal is heard: ${path}`, async () => {
    const { heard, ms } = await upload(path, 1 << 16, 1);
    assert.match(heard, /^HTTP\/1\.1 403 [^]*no$/);
    assert.ok(ms < longestMs, `cut after ${ms} ms`);
  });
}

test('one that is slow is cut when its time is over', async () => {
  const { heard, sent, ms } = await upload('/', 10, 20);
  assert.match(heard, /^HTTP\/1\.1 403 [^]*no$/);
  assert.ok(ms >= longestMs && ms < longestMs * 4 && sent < unreadBytes, `${sent} bytes in ${ms} ms`);
});

test('after one that ends the connection serves on', async () => {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  let heard = '';
  socket.on('data', (data: Buffer) => (heard += data.toString()));
  for (let i = 1; i <= 3; i++) {
    socket.write(`${head('/done')}3\r\n`);
    await sleep(50);
    socket.write('abc\r\n0\r\n\r\n');
    while (heard.split('403').length <= i) await sleep(10);
  }
  await sleep(longestMs * 1.5);
  assert.equal(socket.readyState, 'open');
  socket.destroy();
});
