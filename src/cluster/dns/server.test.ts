import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { decode, encode, type RecordType } from 'dns-packet';
import type { KubeClient, ResourceRef } from '#client/kube/types.ts';
import { systemClock } from '#lib/clock.ts';
import { forwardQuery } from '#lib/dns/forward.ts';
import { readQuery, rcodes, writeAnswer } from '#lib/dns/message.ts';
import { serveDns } from '#lib/dns/server.ts';
import { silentLogger } from '#lib/log.ts';
import { startClusterDns, type ClusterDns } from './server.ts';
import { openSockets } from './sockets.ts';

const stopping = new AbortController();
const service = (namespace: string, name: string, spec: unknown) => ({ apiVersion: 'v1', kind: 'Service', metadata: { namespace, name, uid: name, resourceVersion: '1' }, spec });
const lists: Record<string, unknown[]> = {
  services: [
    service('default', 'kubernetes', { clusterIP: '10.96.0.1', ports: [{ name: 'https', port: 443 }] }),
    service('shop', 'db', { clusterIP: 'None', ports: [{ name: 'sql', port: 5432 }] }),
    service('shop', 'old', { type: 'ExternalName', externalName: 'db.example.org' }),
    service('shop', 'inner', { type: 'ExternalName', externalName: 'kubernetes.default.svc.cluster.local' }),
  ],
  endpointslices: [
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { namespace: 'shop', name: 'db-1', uid: 'db-1', resourceVersion: '2', labels: { 'kubernetes.io/service-name': 'db' } },
      addressType: 'IPv4',
      ports: [{ name: 'sql', port: 5432 }],
      endpoints: [{ addresses: ['10.244.0.7'], hostname: 'db-0', conditions: { ready: true } }, { addresses: ['10.244.0.8'], hostname: 'db-1', conditions: { ready: false } }],
    },
  ],
};

// Only what an informer calls.
const client = {
  list: (ref: ResourceRef) => Promise.resolve({ items: lists[ref.resource], metadata: { resourceVersion: '9' } }),
  watch: (_ref: ResourceRef, { signal }: { signal: AbortSignal }) => ({
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise((resolve) => signal.addEventListener('abort', () => resolve({ done: true, value: undefined }))),
    }),
  }),
} as unknown as KubeClient;

let dns: ClusterDns;
let closeUpstream: () => void;

before(async () => {
  const udp = createSocket('udp4');
  await new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', resolve));
  closeUpstream = serveDns(udp, createServer().listen(0, '127.0.0.1'), (query) => {
    const { name, type } = query.question;
    const known = name.endsWith('example.org') && type === 'A';
    return Promise.resolve(writeAnswer(query, known ? rcodes.noError : rcodes.nameError, known ? [{ type: 'A', name, ttl: 9, data: '198.51.100.7' }] : []));
  });
  const upstreams = () => [`127.0.0.1:${udp.address().port}`];
  dns = await startClusterDns({ client, clock: systemClock, log: silentLogger, address: '127.0.0.1', port: 0, domain: 'cluster.local', upstreams, signal: stopping.signal });
});

after(async () => {
  stopping.abort();
  await dns.close();
  closeUpstream();
});

async function ask(type: RecordType, name: string, transport: 'udp' | 'tcp' = 'udp') {
  const query = readQuery(encode({ type: 'query', id: 77, flags: 0x0100, questions: [{ type, name }] }), transport);
  assert.ok(query);
  const packet = decode(await forwardQuery(query, [`127.0.0.1:${dns.port}`], systemClock)) as ReturnType<typeof decode> & { rcode: string };
  return { rcode: packet.rcode, data: (packet.answers ?? []).map((a) => ('data' in a ? a.data : undefined)) };
}

test('answers for Services by UDP and TCP, and backwards', async () => {
  for (const transport of ['udp', 'tcp'] as const) assert.deepEqual(await ask('A', 'Kubernetes.default.svc.cluster.local', transport), { rcode: 'NOERROR', data: ['10.96.0.1'] });
  assert.deepEqual(await ask('AAAA', 'kubernetes.default.svc.cluster.local'), { rcode: 'NOERROR', data: [] });
  assert.deepEqual((await ask('PTR', '1.0.96.10.in-addr.arpa')).data, ['kubernetes.default.svc.cluster.local']);
  assert.deepEqual((await ask('SRV', '_https._tcp.kubernetes.default.svc.cluster.local')).data, [{ priority: 0, weight: 100, port: 443, target: 'kubernetes.default.svc.cluster.local' }]);
});

test('answers for the ready pods of a headless Service, by its name and by theirs', async () => {
  assert.deepEqual((await ask('A', 'db.shop.svc.cluster.local')).data, ['10.244.0.7']);
  assert.deepEqual((await ask('A', 'db-0.db.shop.svc.cluster.local')).data, ['10.244.0.7']);
  assert.equal((await ask('A', 'db-1.db.shop.svc.cluster.local')).rcode, 'NXDOMAIN');
  assert.deepEqual((await ask('PTR', '7.0.244.10.in-addr.arpa')).data, ['db-0.db.shop.svc.cluster.local']);
  assert.deepEqual((await ask('A', '10-244-0-7.shop.pod.cluster.local')).data, ['10.244.0.7']);
});

test('an external name comes with the addresses of what it stands for', async () => {
  assert.deepEqual((await ask('A', 'old.shop.svc.cluster.local')).data, ['db.example.org', '198.51.100.7']);
  assert.deepEqual((await ask('CNAME', 'old.shop.svc.cluster.local')).data, ['db.example.org']);
  assert.deepEqual((await ask('A', 'inner.shop.svc.cluster.local')).data, ['kubernetes.default.svc.cluster.local', '10.96.0.1']);
});

test('other names are asked of the upstreams; unknown ones of the cluster are not', async () => {
  assert.deepEqual(await ask('A', 'www.example.org'), { rcode: 'NOERROR', data: ['198.51.100.7'] });
  assert.equal((await ask('A', 'www.example.net')).rcode, 'NXDOMAIN');
  assert.equal((await ask('A', 'www.example.org.shop.svc.cluster.local')).rcode, 'NXDOMAIN');
});

test('takes a port that is free for both UDP and TCP', async () => {
  const other = createSocket('udp4');
  await new Promise<void>((resolve) => other.bind(0, '127.0.0.1', resolve));
  const taken = other.address().port;
  let made = 0;
  // the first free port that TCP finds is one that UDP has not
  const makeTcp = () => {
    const server = createServer();
    const listen = server.listen.bind(server);
    if (made++ === 0) server.listen = ((_port: number, address: string, done: () => void) => listen(taken, address, done)) as typeof server.listen;
    return server;
  };
  const { udp, tcp, port } = await openSockets('127.0.0.1', 0, makeTcp);
  assert.equal(made, 2);
  assert.deepEqual([udp.address().port, port === taken], [port, false]);
  await assert.rejects(openSockets('127.0.0.1', taken), { code: 'EADDRINUSE' });
  for (const socket of [udp, tcp, other]) socket.close();
});
