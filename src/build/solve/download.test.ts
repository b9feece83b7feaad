import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isFault } from '#lib/errors.ts';
import { downloadTo } from './download.ts';

test('ADD by URL: redirects are followed to an end, and each failure is one line that names the URL', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'add-'));
  const server = createServer((request, response) => {
    if (request.url === '/moved') response.writeHead(302, { location: '/file' }).end();
    else if (request.url === '/loop') response.writeHead(302, { location: '/loop' }).end();
    else if (request.url === '/away') response.writeHead(302, { location: 'file:///etc/passwd' }).end();
    else if (request.url === '/half') response.writeHead(200, { 'content-length': 10 }).write('half', () => setImmediate(() => response.destroy()));
    else if (request.url === '/file') response.end('text');
    else response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
    rmSync(directory, { recursive: true });
  });
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const file = join(directory, 'file');
  const { signal } = new AbortController();
  assert.equal(await downloadTo(`${base}/moved`, file, signal), 'sha256:982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1');
  assert.deepEqual([readFileSync(file, 'utf8'), statSync(file).mode & 0o777], ['text', 0o600]);
  const fails = (path: string, says: RegExp): Promise<void> => assert.rejects(downloadTo(path, join(directory, 'other'), signal), (e) => isFault(e) && says.test(e.message));
  await fails(`${base}/none`, /^ADD failed: http:\S+\/none answered 404 Not Found$/);
  await fails(`${base}/loop`, /^ADD failed: http:\S+\/loop redirects more than 10 times$/);
  await fails(`${base}/away`, /redirects to "file:\/\/\/etc\/passwd", which cannot be fetched$/);
  await fails(`${base}/half`, /^ADD failed: the transfer of http:\S+\/half broke off after 4 bytes: /);
  await fails('http://127.0.0.1:1/x', /^ADD failed: Get "http:\/\/127\.0\.0\.1:1\/x": .*ECONNREFUSED/);
});
