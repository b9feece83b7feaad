import assert from 'node:assert/strict';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { decode, encode, type Answer, type DecodedPacket } from 'dns-packet';
import { systemClock } from '../clock.ts';
import { VirtualClock } from '../clock-virtual.ts';
import { forwardQuery, nameServersOf, resolvConfForOthers } from './forward.ts';
import { rcodes, readQuery, withLength, writeAnswer, type Query } from './message.ts';
import { serveDns, type DnsHandler } from './server.ts';

const closing: (() => void)[] = [];
afterEach(() => closing.splice(0).forEach((close) => close()));

/** A server on a free port of 127.0.0.1, by UDP and TCP. */
async function serve(handler: DnsHandler): Promise<number> {
  for (;;) {
    const udp: UdpSocket = createSocket('udp4');
    const tcp: Server = createServer();
    await new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', resolve));
    const { port } = udp.address();
    const free = await new Promise<boolean>((resolve) => tcp.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true)));
    if (!free) {
      udp.close();
      continue;
    }
    closing.push(serveDns(udp, tcp, handler));
    return (tcp.address() as AddressInfo).port;
  }
}

const question = (id: number, name = 'web', udpPayloadSize?: number): Buffer =>
  encode({
    type: 'query',
    id,
    flags: 0x0100,
    questions: [{ type: 'A', name }],
    ...(udpPayloadSize ? { additionals: [{ type: 'OPT', name: '.', udpPayloadSize, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] }] } : {}),
  });

async function byUdp(port: number, messages: readonly Uint8Array[]): Promise<DecodedPacket> {
  const socket = createSocket('udp4');
  try {
    return await new Promise((resolve) => {
      socket.on('message', (message) => resolve(decode(message)));
      for (const message of messages) socket.send(message, port, '127.0.0.1');
    });
  } finally {
    socket.close();
  }
}

/** Writes `chunks` one after another and reads `count` answers. */
async function byTcp(port: number, chunks: readonly Uint8Array[], count: number): Promise<DecodedPacket[]> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const answers: DecodedPacket[] = [];
  const done = new Promise<void>((resolve, reject) => {
    let received = Buffer.alloc(0);
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const length = received.readUInt16BE(0);
        answers.push(decode(received.subarray(2, 2 + length)));
        received = received.subarray(2 + length);
      }
      if (answers.length >= count) resolve();
    });
  });
  for (const chunk of chunks) {
    socket.write(chunk);
    await wait(5);
  }
  await done;
  socket.destroy();
  return answers;
}

const addresses = (query: Query, count: number): Buffer =>
  writeAnswer(query, rcodes.noError, Array.from({ length: count }, (_, i): Answer => ({ type: 'A', name: query.question.name, ttl: 5, data: `10.0.${i >> 8}.${i & 255}` })));

test('an answer that is too long for UDP is cut, and whole by TCP or where the client takes more', async () => {
  const port = await serve((query) => Promise.resolve(addresses(query, 60)));
  const cut = await byUdp(port, [question(7)]);
  assert.deepEqual([cut.id, cut.flag_tc, cut.answers?.length], [7, true, 0]);
  assert.equal((await byUdp(port, [question(8, 'web', 1400)])).answers?.length, 60);
  const [whole] = await byTcp(port, [withLength(question(9))], 1);
  assert.deepEqual([whole?.flag_tc, whole?.answers?.length], [false, 60]);
});

test('several queries on one TCP connection are answered, however they are cut into packets', async () => {
  const port = await serve((query) => Promise.resolve(addresses(query, 1)));
  const bytes = Buffer.concat([withLength(question(1)), withLength(question(2))]);
  const answers = await byTcp(port, [bytes.subarray(0, 1), bytes.subarray(1, 40), bytes.subarray(40)], 2);
  assert.deepEqual(new Set(answers.map((a) => a.id)), new Set([1, 2]));
});

test('a TCP client that reads no answers is cut off', async () => {
  const port = await serve((query) => Promise.resolve(addresses(query, 1000)));
  const socket = connect({ host: '127.0.0.1', port }).on('error', () => {});
  closing.push(() => socket.destroy());
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const many = Buffer.concat(Array.from({ length: 200 }, (_, i) => withLength(question(i))));
  // 64 MB of answers: far more than the kernel keeps for a reader
  for (let i = 0; i < 20 && !socket.destroyed; i++) {
    socket.write(many);
    await wait(5);
  }
  socket.resume();
  await closed;
  assert.ok(socket.bytesRead < 32_000_000, String(socket.bytesRead));
});

test('what is no query is passed over, and a failure is SERVFAIL', async () => {
  const port = await serve(() => Promise.reject(new Error('broken')));
  const answer = addresses(readQuery(question(1), 'udp')!, 1);
  const loop = Buffer.from('000201000001000000000000c00c00010001', 'hex');
  const { id, rcode } = (await byUdp(port, [Buffer.alloc(0), Buffer.from([1, 2, 3]), answer, loop, question(5)])) as DecodedPacket & { rcode?: string };
  assert.deepEqual([id, rcode], [5, 'SERVFAIL']);
});

test('asks one upstream after another, by the transport of the query', async () => {
  const seen: string[] = [];
  const upstream = (name: string, handler: DnsHandler) =>
    serve((query) => {
      seen.push(`${name} ${query.transport}`);
      return handler(query);
    });
  const failing = await upstream('failing', (query) => Promise.resolve(writeAnswer(query, rcodes.refused, [])));
  const good = await upstream('good', (query) => Promise.resolve(addresses(query, 60)));
  for (const transport of ['udp', 'tcp'] as const) {
    const query = readQuery(question(3), transport)!;
    const answer = decode(await forwardQuery(query, ['127.0.0.1:9', `127.0.0.1:${failing}`, `127.0.0.1:${good}`], systemClock));
    assert.equal(answer.answers?.length, transport === 'udp' ? 0 : 60);
  }
  assert.deepEqual(seen, ['failing udp', 'good udp', 'failing tcp', 'good tcp']);
});

test('an upstream that cannot even be asked is passed over', async () => {
  const good = await serve((query) => Promise.resolve(addresses(query, 1)));
  for (const transport of ['udp', 'tcp'] as const) {
    for (const upstream of ['300.1.1.1', 'fe80::1%nothere', '255.255.255.255', '2001:db8::1', 'no name']) {
      const query = readQuery(question(6), transport)!;
      assert.equal(decode(await forwardQuery(query, [upstream, `127.0.0.1:${good}`], systemClock)).answers?.length, 1, upstream);
    }
  }
});

test('a name that the upstream does not know stays unknown; a silent upstream is SERVFAIL in the end', async () => {
  const unknown = await serve((query) => Promise.resolve(writeAnswer(query, rcodes.nameError, [])));
  const query = readQuery(question(4), 'udp')!;
  assert.equal((await forwardQuery(query, [`127.0.0.1:${unknown}`], systemClock))[3]! & 15, rcodes.nameError);
  const silent = createSocket('udp4');
  await new Promise<void>((resolve) => silent.bind(0, '127.0.0.1', resolve));
  closing.push(() => silent.close());
  const clock = new VirtualClock();
  const asked = forwardQuery(query, [`127.0.0.1:${silent.address().port}`], clock);
  await clock.advance(5_000);
  assert.equal((await asked)[3]! & 15, rcodes.serverFailure);
});

test('reads the name servers of a resolv.conf', () => {
  assert.deepEqual(nameServersOf('# x\nsearch a b\nnameserver 10.0.0.1\n nameserver fe80::1%eth0 \noptions ndots:2\n'), ['10.0.0.1', 'fe80::1%eth0']);
});

test('behind the stub of systemd-resolved are the servers that others can reach', () => {
  const stub = 'nameserver 127.0.0.53\noptions edns0\n';
  const resolved = 'nameserver 10.1.2.3\nsearch corp\n';
  assert.equal(resolvConfForOthers(stub, resolved), resolved);
  assert.equal(resolvConfForOthers(stub, ''), stub);
  assert.equal(resolvConfForOthers('nameserver 9.9.9.9\nnameserver 127.0.0.1\n', resolved), 'nameserver 9.9.9.9\nnameserver 127.0.0.1\n');
  assert.equal(resolvConfForOthers('', resolved), '');
});
