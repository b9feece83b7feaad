import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { connect as connectTcp } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { connect } from 'node:tls';
import type { KubeObject } from '#api/kube/types.ts';
import { endpointSlices, nodes, pods, serviceAccounts, services } from '#client/kube/resources.ts';
import type { TestServer } from '../testing.ts';
import { pod, startTestServer } from '../testing.ts';

/** What runs in the pod: tells what it was asked, sends away from /old, and echoes what is said after an upgrade. */
function workload(): Server {
  const server = createHttpServer((request, response) => {
    if (request.url === '/old') return void response.writeHead(302, { location: '/new?x=1' }).end();
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const { authorization, 'x-forwarded-uri': uri, 'x-own': own } = request.headers;
      response.writeHead(418, { 'x-answer': 'yes' }).end(JSON.stringify({ asked: `${request.method} ${request.url}`, body, authorization, uri, own }));
    });
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: test\r\nConnection: Upgrade\r\n\r\n');
    socket.once('data', (chunk: Buffer) => socket.end(`${request.url} heard ${chunk.toString()}`));
  });
  return server;
}

/** A node whose agent joins connections to the workload at port 8080 of a pod, and to one by TLS at 8443; nothing listens on other ports. */
async function fakeNode(t: TestContext, server: TestServer): Promise<string[]> {
  const inside = workload().listen(0, '127.0.0.1');
  const asked: string[] = [];
  const own = await server.api.authority.issueServer({ commonName: 'system:node:n1', dnsNames: ['n1'], ipAddresses: ['127.0.0.1'] });
  const secure = createServer({ cert: own.certificate, key: own.key }, (request, response) => response.end(JSON.stringify({ asked: `https ${request.url ?? ''}` }))).listen(0, '127.0.0.1');
  for (const listener of [inside, secure]) if (!listener.listening) await once(listener, 'listening');
  const agent = createServer({ cert: own.certificate, key: own.key, ca: server.api.authority.certificate, requestCert: true, rejectUnauthorized: true });
  agent.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    asked.push(request.url ?? '');
    const target = request.url?.endsWith('/8080') === true ? inside : request.url?.endsWith('/8443') === true ? secure : undefined;
    if (!target) return void socket.end('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 31\r\n\r\ndial tcp 10.0.0.1:81: refused\r\n');
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n');
    const joined = connectTcp((target.address() as AddressInfo).port, '127.0.0.1');
    for (const end of [socket, joined]) end.on('error', () => {});
    socket.pipe(joined).pipe(socket);
  });
  agent.listen(0, '127.0.0.1');
  await once(agent, 'listening');
  t.after(() => {
    agent.close();
    for (const listener of [inside, secure]) {
      listener.close();
      listener.closeAllConnections();
    }
  });
  const { admin } = server;
  await admin.create(serviceAccounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: 'default' } });
  await admin.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } });
  const status = { addresses: [{ type: 'InternalIP', address: '127.0.0.1' }], daemonEndpoints: { kubeletEndpoint: { Port: (agent.address() as AddressInfo).port } } };
  await admin.patch(nodes, 'n1', { type: 'merge', body: { status } }, { subresource: 'status' });
  await admin.create(pods, pod('web', { nodeName: 'n1', containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 8080 }] }] }));
  await admin.patch(pods, 'web', { type: 'merge', body: { status: { podIP: '10.0.0.1' } } }, { namespace: 'default', subresource: 'status' });
  return asked;
}

const base = '/api/v1/namespaces/default';

void test('a request reaches a port of a pod as it is, without what proves who asks', async (t) => {
  const server = await startTestServer(t);
  const asked = await fakeNode(t, server);
  const path = `${base}/pods/web:8080/proxy/a%2Fb/?q=1&q=2`;
  const answer = await server.raw({ method: 'POST', path, body: 'hello', headers: { 'x-own': 'kept', 'impersonate-user': 'root', 'impersonate-group': 'system:masters' } });
  assert.deepEqual([answer.code, answer.headers['x-answer']], [418, 'yes']);
  assert.deepEqual(answer.json() as object, { asked: 'POST /a%2Fb/?q=1&q=2', body: 'hello', uri: path, own: 'kept' });
  assert.deepEqual(asked, ['/podConnect/default/web/8080']);
  assert.equal((await server.raw({ path: `${base}/pods/web/proxy/x` })).json()['asked'], 'GET /x');
  assert.equal((await server.raw({ path: `${base}/pods/https:web:8443/proxy/x` })).json()['asked'], 'https /x');
  const bare = await server.raw({ path: `${base}/pods/web/proxy?q=1` });
  assert.deepEqual([bare.code, bare.headers['location']], [301, `${base}/pods/web/proxy/?q=1`]);
  const moved = await server.raw({ path: `${base}/pods/web/proxy/old` });
  assert.deepEqual([moved.code, moved.headers['location']], [302, `${base}/pods/web/proxy/new?x=1`]);
});

void test('what cannot be reached is told', async (t) => {
  const server = await startTestServer(t);
  await fakeNode(t, server);
  await server.admin.create(pods, pod('new', {}));
  const message = async (path: string): Promise<unknown[]> => {
    const answer = await server.raw({ path: base + path });
    // Clients of the API try again for seconds where this is set.
    assert.equal(answer.headers['retry-after'], undefined);
    return [answer.code, answer.json().message];
  };
  assert.deepEqual(await message('/pods/web:81/proxy/'), [503, 'error trying to reach service: dial tcp 10.0.0.1:81: refused']);
  assert.deepEqual(await message('/pods/none/proxy/'), [404, 'pods "none" not found']);
  assert.deepEqual(await message('/pods/new/proxy/'), [400, 'pod new has no address yet']);
  assert.deepEqual(await message('/pods/web:http/proxy/'), [400, 'invalid port "http" of web:http: must be a number']);
  assert.deepEqual(await message('/pods/ftp:web:80/proxy/'), [400, 'invalid pod request "ftp:web:80"']);
  const ann = await server.access('ann');
  const refused = await server.raw({ path: `${base}/pods/web:8080/proxy/`, as: ann });
  assert.match(refused.json().message, /pods "web:8080" is forbidden: User "ann" cannot get resource "pods\/proxy"/);
});

void test('a service is reached by its ready endpoints, by the name or the number of its port', async (t) => {
  const server = await startTestServer(t);
  await fakeNode(t, server);
  const { admin, raw } = server;
  const ports = [{ name: 'http', port: 80, targetPort: 8080 }];
  await admin.create(services, { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'default' }, spec: { ports } } as KubeObject);
  const path = `${base}/services/web:http/proxy/here`;
  assert.deepEqual((await raw({ path })).json().message, 'no endpoints available for service "web"');
  const endpoint = (address: string, name: string, ready: boolean): object => ({ addresses: [address], conditions: { ready }, targetRef: { kind: 'Pod', name, namespace: 'default' } });
  // A name could stand for this very machine.
  const named = { metadata: { name: 'web-0', namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } }, addressType: 'FQDN', ports: [{ name: 'http', port: 8080 }], endpoints: [{ addresses: ['localhost.localdomain'] }] };
  await admin.create(endpointSlices, { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', ...named } as KubeObject);
  assert.deepEqual((await raw({ path })).json().message, 'no endpoints available for service "web"');
  const slice = { addressType: 'IPv4', ports: [{ name: 'http', port: 8080 }], endpoints: [endpoint('10.0.0.1', 'web', true), endpoint('10.0.0.2', 'other', false)] };
  const metadata = { name: 'web-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } };
  await admin.create(endpointSlices, { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata, ...slice } as KubeObject);
  for (const port of ['http', '80']) assert.equal((await raw({ path: `${base}/services/web:${port}/proxy/here` })).json()['asked'], 'GET /here');
  assert.equal((await raw({ path: `${base}/services/web:81/proxy/here` })).json().message, 'no service port 81 found for service "web"');
  assert.match(await upgrade(server, path, 'hello'), /^HTTP\/1.1 101 [\s\S]*\r\n\r\n\/here heard hello$/);
});

/** Sends an upgrade and then `input`, and gives all that came back. */
async function upgrade(server: TestServer, path: string, input: string): Promise<string> {
  const { ca, certificate: cert, key } = await server.access('admin', ['system:masters']);
  const url = new URL(server.url);
  const socket = connect({ host: url.hostname, port: Number(url.port), ca, cert, key });
  await once(socket, 'secureConnect');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: test\r\nConnection: Upgrade\r\n\r\n`);
  const [head] = (await once(socket, 'data')) as [Buffer];
  const chunks = [head];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.write(input);
  await once(socket, 'close');
  return Buffer.concat(chunks).toString();
}
