import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createDockerClient } from './client.ts';
import type { DockerClient, Output } from './types.ts';
import { unixTransport } from './unix.ts';

const directory = mkdtempSync(join(tmpdir(), 'gantry-client-'));
const socketPath = join(directory, 's');
const seen: string[] = [];

function frame(stream: number, text: string): Buffer {
  const head = Buffer.alloc(8);
  head[0] = stream;
  head.writeUInt32BE(text.length, 4);
  return Buffer.concat([head, Buffer.from(text)]);
}

const answers: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
  'GET /v1.50/images/none/json': (_q, r) => void r.writeHead(404).end('{"message":"No such image: none"}'),
  'GET /v1.50/info': (_q, r) => void r.writeHead(500).end('{"message":"it \\"broke\\""}'),
  'POST /v1.50/build': (q, r) => {
    q.resume();
    q.on('end', () => r.end('{"stream":"Step 1"}\n{"aux":{"ID":"sha256:1"}}\n{"errorDetail":{"code":3,"message":"RUN failed"}}\n'));
  },
  'POST /v1.50/images/load': (q, r) => void q.resume().on('end', () => r.end('{"stream":"Loaded"}\n')),
  'GET /v1.50/containers/c/logs': (_q, r) => {
    const bytes = Buffer.concat([frame(1, 'out'), frame(2, 'err'), frame(1, 'more')]);
    r.write(bytes.subarray(0, 5));
    setImmediate(() => r.end(bytes.subarray(5)));
  },
};
const server = createServer((request, response) => {
  const key = `${request.method} ${request.url?.split('?')[0]}`;
  seen.push(`${request.method} ${request.url}`);
  const answer = answers[key];
  if (answer) answer(request, response);
  else response.writeHead(204).end();
});
let client: DockerClient;

before(() => {
  client = createDockerClient(unixTransport(socketPath));
  return new Promise<void>((resolve) => server.listen(socketPath, resolve));
});
after(() => {
  client.close();
  server.close();
  rmSync(directory, { recursive: true });
});

test('an image that is not there is undefined; other failures carry kind and message', async () => {
  assert.equal(await client.inspectImage('none'), undefined);
  await assert.rejects(client.info(), { kind: 'internal', message: 'it "broke"' });
});

test('a failure inside a progress stream is thrown, with its exit code, after what came before', async () => {
  const lines: string[] = [];
  await assert.rejects(client.build(Buffer.from('tar'), { tag: 'a:1', buildArgs: { X: '1' }, onMessage: (m) => void lines.push(m.stream ?? '') }), {
    message: 'RUN failed',
    details: { exitCode: 3 },
  });
  assert.deepEqual(lines, ['Step 1', '']);
  assert.match(seen.at(-1) ?? '', /\/build\?version=1&rm=1&t=a%3A1&buildargs=%7B%22X%22%3A%221%22%7D$/);
});

test('logs are taken out of their frames, wherever the pieces were cut', async () => {
  const output: Output[] = [];
  for await (const piece of client.logs('c', { follow: true })) output.push(piece);
  assert.deepEqual(output.map((o) => `${o.stream} ${o.data.toString()}`), ['stdout out', 'stderr err', 'stdout more']);
});

test('where nobody listens, it says what to do', async () => {
  const lost = createDockerClient(unixTransport(join(directory, 'nobody')));
  await assert.rejects(lost.ping(), { kind: 'unavailable', message: /cannot connect to the engine at .*nobody: is it running\? Start it with: gantry up/ });
});
