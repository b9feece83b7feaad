import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { connect } from 'node:tls';
import type { KubeObject } from '#api/kube/types.ts';
import { nodes, pods, serviceAccounts } from '#client/kube/resources.ts';
import type { TestServer } from '../testing.ts';
import { pod, startTestServer } from '../testing.ts';

/** An agent of a node that answers logs and echoes streams, and tells what it was asked. */
async function fakeAgent(t: TestContext, server: TestServer): Promise<string[]> {
  const asked: string[] = [];
  const own = await server.api.authority.issueServer({ commonName: 'system:node:n1', dnsNames: ['n1'], ipAddresses: ['127.0.0.1'] });
  const agent = createServer({ allowHalfOpen: true, cert: own.certificate, key: own.key, ca: server.api.authority.certificate, requestCert: true, rejectUnauthorized: true });
  const served = new WeakSet<Duplex>();
  agent.on('request', (request, response) => {
    // as a server does that closes what is idle for long, in the moment in which it is used again
    if (served.has(request.socket)) {
      request.socket.destroy();
      return;
    }
    served.add(request.socket);
    asked.push(`${request.method} ${request.url}`);
    response.end('line one\nline two\n');
  });
  agent.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    asked.push(`${request.method} ${request.url} ${request.headers.upgrade} ${request.headers.authorization ?? 'no token'}`);
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: test\r\nConnection: Upgrade\r\n\r\n');
    // Answers only once the other side has said all that it will: half of the connection is closed by then.
    const heard: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => heard.push(chunk));
    socket.on('end', () => socket.end(`heard ${Buffer.concat(heard).toString()}`));
  });
  agent.listen(0, '127.0.0.1');
  await once(agent, 'listening');
  t.after(() => agent.close());
  const { port } = agent.address() as AddressInfo;
  await server.admin.create(serviceAccounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: 'default' } });
  await server.admin.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } });
  const status = { addresses: [{ type: 'InternalIP', address: '127.0.0.1' }], daemonEndpoints: { kubeletEndpoint: { Port: port } } };
  await server.admin.patch(nodes, 'n1', { type: 'merge', body: { status } }, { subresource: 'status' });
  return asked;
}

function twoContainers(name: string): KubeObject {
  return pod(name, { nodeName: 'n1', containers: [{ name: 'one', image: 'i' }, { name: 'two', image: 'i' }] });
}

void test('a log comes from the node, of the container that is meant', async (t) => {
  const server = await startTestServer(t);
  const asked = await fakeAgent(t, server);
  await server.admin.create(pods, pod('p', { nodeName: 'n1' }));
  await server.admin.create(pods, twoContainers('q'));
  const log = await server.raw({ path: '/api/v1/namespaces/default/pods/p/log?tailLines=2&follow=true' });
  assert.equal(log.bytes.toString(), 'line one\nline two\n');
  assert.deepEqual(asked, ['GET /containerLogs/default/p/main?tailLines=2&follow=true']);
  const unclear = await server.raw({ path: '/api/v1/namespaces/default/pods/q/log' });
  assert.equal(unclear.json().message, 'a container name must be specified for pod q, choose one of: [one two]');
  const wrong = await server.raw({ path: '/api/v1/namespaces/default/pods/q/log?container=three' });
  assert.equal(wrong.json().message, 'container three is not valid for pod q');
  const chunks: string[] = [];
  const stream = await server.admin.stream('/api/v1/namespaces/default/pods/q/log?container=two', { signal: new AbortController().signal });
  for await (const chunk of stream) chunks.push(Buffer.from(chunk).toString());
  assert.equal(chunks.join(''), 'line one\nline two\n');
});

void test('a connection that the node has just closed is not used for the next log', async (t) => {
  const server = await startTestServer(t);
  const asked = await fakeAgent(t, server);
  await server.admin.create(pods, pod('p', { nodeName: 'n1' }));
  for (let i = 1; i <= 3; i++) {
    assert.equal((await server.raw({ path: '/api/v1/namespaces/default/pods/p/log' })).bytes.toString(), 'line one\nline two\n');
    assert.equal(asked.length, i);
  }
});

void test('an exec passes through as bytes, and the end of its input reaches the node', async (t) => {
  const server = await startTestServer(t);
  const asked = await fakeAgent(t, server);
  await server.admin.create(pods, pod('p', { nodeName: 'n1' }));
  const path = '/api/v1/namespaces/default/pods/p/exec?command=cat&stdin=true&stdout=true';
  const answer = await upgrade(server, path, 'hello');
  assert.match(answer, /^HTTP\/1.1 101 Switching Protocols[\s\S]*\r\n\r\nheard hello$/);
  assert.deepEqual(asked, ['GET /exec/default/p/main?command=cat&stdin=true&stdout=true test no token']);
  const missing = await upgrade(server, '/api/v1/namespaces/default/pods/none/exec?command=cat', '');
  assert.match(missing, /^HTTP\/1.1 404 [\s\S]*pods \\"none\\" not found/);
  assert.equal((await server.raw({ method: 'POST', path })).json().message, 'Upgrade request required');
});

/** Sends an upgrade and all of `input`, closes its half, and gives all that came back. */
async function upgrade(server: TestServer, path: string, input: string): Promise<string> {
  const { ca, certificate: cert, key } = await server.access('admin', ['system:masters']);
  const url = new URL(server.url);
  const options = { host: url.hostname, port: Number(url.port), ca, cert, key, allowHalfOpen: true };
  const socket = connect(options);
  await once(socket, 'secureConnect');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: test\r\nConnection: Upgrade\r\nAuthorization: Basic c2VjcmV0\r\n\r\n`);
  const chunks: Buffer[] = [];
  const done = (async () => {
    for await (const chunk of socket) chunks.push(chunk as Buffer);
  })();
  socket.end(input);
  await done;
  return Buffer.concat(chunks).toString();
}
