import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode, type RecordType } from 'dns-packet';
import { systemClock } from '#lib/clock.ts';
import { readQuery } from '#lib/dns/message.ts';
import type { Endpoint, Network } from '../types.ts';
import { resolveName, type NameScope } from './resolver.ts';

const network = (name: string, internal = false): Network => ({
  id: name,
  name,
  driver: 'bridge',
  predefined: false,
  internal,
  attachable: false,
  enableIPv6: false,
  createdAt: 0,
  ipam: { driver: 'default', config: [], options: {} },
  options: {},
  labels: {},
});

const endpoint = (networkId: string, address: string, ...aliases: string[]): Endpoint => ({
  id: address,
  networkId,
  sandboxId: address,
  interfaceName: 'eth0',
  hostLink: '',
  address,
  prefixLength: 24,
  mac: '',
  aliases,
});

const endpoints = [
  endpoint('apps', '10.1.0.2', 'Web', 'site.example', '0123456789ab'),
  endpoint('apps', '10.1.0.3', 'db', 'store'),
  endpoint('apps', '10.1.0.4', 'db2', 'store'),
  endpoint('other', '10.2.0.2', 'secret'),
];

async function ask(type: RecordType, name: string, over: Partial<NameScope> = {}, id = 1) {
  const scope: NameScope = { upstreams: [], networks: () => [network('apps')], endpoints: (n) => endpoints.filter((e) => e.networkId === n), links: () => ({}), ...over };
  const query = readQuery(encode({ type: 'query', id, questions: [{ type, name }] }), 'udp');
  assert.ok(query);
  const packet = decode(await resolveName(query, scope, systemClock)) as ReturnType<typeof decode> & { rcode: string };
  return { rcode: packet.rcode, data: (packet.answers ?? []).map((a) => ('data' in a ? a.data : undefined)) };
}

test('names, aliases and short ids of a shared network, in any case, alone and with the name of the network', async () => {
  for (const name of ['web', 'WEB', 'web.apps', 'site.example', '0123456789ab']) assert.deepEqual(await ask('A', name), { rcode: 'NOERROR', data: ['10.1.0.2'] }, name);
});

test('a link is a name of the asking container\'s own for another, also where somebody else has that name', async () => {
  const links = (id: string): Record<string, string> => (id === 'apps' ? { Cache: 'db', web: 'db2' } : {});
  for (const name of ['cache', 'cache.apps']) assert.deepEqual((await ask('A', name, { links })).data, ['10.1.0.3'], name);
  assert.deepEqual((await ask('A', 'web', { links })).data, ['10.1.0.4']);
});

test('an alias of several leads to each in turn', async () => {
  const firsts = await Promise.all([1, 2].map(async (id) => (await ask('A', 'store', {}, id)).data));
  assert.deepEqual(firsts.map((d) => d.length), [2, 2]);
  assert.notEqual(firsts[0]?.[0], firsts[1]?.[0]);
});

test('a known name without records of the type is no error; it is never asked elsewhere', async () => {
  for (const type of ['AAAA', 'MX'] as const) assert.deepEqual(await ask(type, 'web'), { rcode: 'NOERROR', data: [] });
});

test('an address leads back to its name', async () => {
  assert.deepEqual(await ask('PTR', '3.0.1.10.in-addr.arpa'), { rcode: 'NOERROR', data: ['db.apps'] });
});

test('names of networks that are not shared are not known', async () => {
  assert.equal((await ask('A', 'secret')).rcode, 'SERVFAIL'); // no upstream to ask
  assert.deepEqual(await ask('A', 'secret', { networks: () => [network('apps', true)] }), { rcode: 'NXDOMAIN', data: [] });
});
