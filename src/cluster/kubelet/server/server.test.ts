import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { Duplex } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { whyNoContainers } from '#core/containers/testing.ts';
import { openNodeBed } from '../testing.ts';
import type { NodeBed } from '../testing.ts';
import { controlFrame, dataFrame, flagFin, FrameReader, frameType, words } from './spdy/frames.ts';
import { HeaderCodec } from './spdy/headers.ts';

const podsRef = { group: '', version: 'v1', resource: 'pods' };

describe('kubelet: server', { skip: whyNoContainers() }, () => {
  let node: NodeBed;
  before(async () => {
    node = await openNodeBed();
    const script = 'echo first; echo second >&2; mkdir /w; head -c 3000000 /dev/zero | tr "\\0" x > /w/big; httpd -p 8080 -h /w; while read line; do echo "got $line"; done; exit 0';
    node.run('pod', { restartPolicy: 'Never', containers: [{ name: 'main', image: 'busybox:1', stdin: true, command: ['sh', '-c', script], readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 0.1 } }] });
    await node.until('pod', 'ready', (pod) => pod?.status?.containerStatuses?.[0]?.ready === true);
  });
  after(() => node.end());

  const get = (path: string, identity: object = node.tls): Promise<{ status: number; body: string }> =>
    new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port: node.kubelet.port, path, ca: node.tls.cert, ...identity }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => (body += text));
        response.on('end', () => resolve({ status: response.statusCode!, body }));
      });
      sent.on('error', reject).end();
    });

  const dial = (path: string, protocol: string): WebSocket =>
    new WebSocket(`wss://127.0.0.1:${node.kubelet.port}${path}`, protocol, { ca: node.tls.cert, ...node.tls });

  /** A byte stream to the server, over messages of a WebSocket (whose library knows no protocol with a slash) or as it is. */
  const upgrade = async (path: string, kind: 'websocket' | 'SPDY/3.1' | 'tcp', more: Record<string, string> = {}): Promise<Duplex> => {
    const headers = { connection: 'Upgrade', upgrade: kind, ...more, ...(kind === 'websocket' ? { 'sec-websocket-version': '13', 'sec-websocket-key': 'MDEyMzQ1Njc4OWFiY2RlZg==', 'sec-websocket-protocol': 'SPDY/3.1+portforward.k8s.io' } : {}) };
    const sent = request({ host: '127.0.0.1', port: node.kubelet.port, path, headers, ca: node.tls.cert, ...node.tls });
    sent.end();
    const [response, socket] = (await once(sent, 'upgrade')) as [IncomingMessage, Duplex];
    if (kind !== 'websocket') return socket;
    assert.equal(response.headers['sec-websocket-protocol'], 'SPDY/3.1+portforward.k8s.io');
    return messagesOf(socket);
  };

  /** Collects the channels of a remote command until it closes. */
  const channels = async (socket: WebSocket): Promise<Record<number, string>> => {
    const seen: Record<number, string> = {};
    socket.on('message', (data: Buffer) => (seen[data[0]!] = (seen[data[0]!] ?? '') + data.subarray(1).toString()));
    await once(socket, 'close');
    return seen;
  };

  it('serves only the API server', async () => {
    assert.deepEqual(await get('/healthz'), { status: 200, body: 'ok' });
    await assert.rejects(get('/healthz', {}));
    assert.equal((await get('/containerLogs/default/pod/main', node.tls.stranger)).status, 403);
    assert.equal((await get('/containerLogs/default/pod/main', node.tls.node)).status, 403);
  });

  it('gives images to other nodes, and to nobody else', async () => {
    assert.equal((await get('/v2/', node.tls.node)).status, 200);
    for (const identity of [node.tls, node.tls.stranger]) {
      const { status, body } = await get('/v2/library/busybox/manifests/1', identity);
      assert.equal(status, 403);
      assert.match(body, /"DENIED","message":"\S+ is no node of this cluster/);
    }
  });

  it('gives logs: whole, tailed, with times, limited, followed', async () => {
    const path = '/containerLogs/default/pod/main';
    assert.deepEqual((await get(path)).body.split('\n').toSorted(), ['', 'first', 'second']);
    assert.equal((await get(`${path}?tailLines=1`)).body.split('\n').length, 2);
    assert.match((await get(`${path}?timestamps=true&tailLines=1`)).body, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (first|second)\n$/);
    assert.equal((await get(`${path}?limitBytes=3`)).body.length, 3);
    assert.equal((await get(`${path}?tailLines=x`)).status, 400);
    assert.deepEqual(await get('/containerLogs/default/pod/other'), { status: 404, body: 'container other is not valid for pod pod\n' });
    assert.equal((await get('/containerLogs/default/nobody/main')).status, 404);
    assert.match((await get(`${path}?previous=true`)).body, /previous terminated container "main" in pod "pod" not found/);
  });

  it('runs commands over WebSocket: channels, codes, stdin and its end, terminal', async () => {
    const query = (...command: string[]): string => command.map((word) => `&command=${encodeURIComponent(word)}`).join('');
    const simple = await channels(dial(`/exec/default/pod/main?output=1&error=1${query('sh', '-c', 'echo out; echo err >&2; exit 5')}`, 'v4.channel.k8s.io'));
    assert.deepEqual([simple[1], simple[2]], ['out\n', 'err\n']);
    const status = JSON.parse(simple[3]!) as { reason: string; details: { causes: { message: string }[] } };
    assert.deepEqual([status.reason, status.details.causes[0]!.message], ['NonZeroExitCode', '5']);

    const cat = dial(`/exec/default/pod/main?input=1&output=1&error=1${query('cat', '/w/big', '-')}`, 'v5.channel.k8s.io');
    const seen = channels(cat);
    await once(cat, 'open');
    cat.send(Buffer.from('\0hello'));
    cat.send(Buffer.from([255, 0]));
    const output = (await seen)[1]!;
    assert.equal(output.length, 3_000_005);
    assert.ok(output.endsWith('xhello'));
    assert.equal((JSON.parse((await seen)[3]!) as { status: string }).status, 'Success');

    const tty = dial(`/exec/default/pod/main?input=1&output=1&tty=1${query('sh', '-c', 'read x; stty size')}`, 'v5.channel.k8s.io');
    const screen = channels(tty);
    await once(tty, 'open');
    // At once, as kubectl does: before the process is there.
    tty.send(Buffer.from('\x04{"Width":77,"Height":33}'));
    tty.send(Buffer.from('\0go\n'));
    assert.match((await screen)[1]!, /33 77\r\n$/);

    const missing = await channels(dial(`/exec/default/pod/main?output=1&error=1${query('nosuch')}`, 'v4.channel.k8s.io'));
    assert.match((JSON.parse(missing[3]!) as { message: string }).message, /executable file not found in \$PATH/);
  });

  it('joins a connection to a port of a pod, whole', async () => {
    const socket = await upgrade('/podConnect/default/pod/8080', 'tcp');
    socket.write('GET /big HTTP/1.0\r\n\r\n');
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    const answer = Buffer.concat(chunks).toString();
    assert.match(answer, /^HTTP\/1\.[01] 200 OK/);
    assert.ok(answer.endsWith('x'.repeat(3_000_000)));
    const refused = async (path: string): Promise<string> => {
      const sent = request({ host: '127.0.0.1', port: node.kubelet.port, path, headers: { connection: 'Upgrade', upgrade: 'tcp' }, ca: node.tls.cert, ...node.tls });
      const [response] = (await once(sent.end(), 'response')) as [IncomingMessage];
      let body = `${response.statusCode} `;
      for await (const chunk of response) body += String(chunk);
      return body;
    };
    assert.match(await refused('/podConnect/default/pod/81'), /^503 dial tcp [\d.]+:81: /);
    assert.equal(await refused('/podConnect/default/pod/x'), '400 "x" is no port; give a number from 1 to 65535\n');
  });

  for (const carrierKind of ['websocket', 'SPDY/3.1'] as const) it(`forwards ports over ${carrierKind}`, async () => {
    const carrier = await upgrade('/portForward/default/pod', carrierKind);
    const codec = new HeaderCodec();
    const open = async (id: number, type: string, port: string): Promise<void> => {
      const block = await codec.write({ streamType: type, port, requestID: String(id >> 2) });
      carrier.write(controlFrame(frameType.synStream, 0, Buffer.concat([words(id, 0), Buffer.alloc(2), block])));
    };
    const seen: Record<number, Buffer[]> = {};
    const ended = new Set<number>();
    const reader = new FrameReader();
    carrier.on('data', (chunk: Buffer) => {
      for (const frame of reader.add(chunk)) {
        if (frame.kind !== 'data') continue;
        (seen[frame.stream] ??= []).push(frame.payload);
        if (frame.flags & flagFin) ended.add(frame.stream);
      }
    });
    const until = async (id: number): Promise<string> => {
      for (let i = 0; i < 300 && !ended.has(id); i++) await sleep(10);
      return Buffer.concat(seen[id] ?? []).toString();
    };
    await open(1, 'error', '8080');
    await open(3, 'data', '8080');
    carrier.write(dataFrame(3, 0, Buffer.from('GET /big HTTP/1.0\r\n\r\n')));
    const answer = await until(3);
    assert.match(answer, /^HTTP\/1\.[01] 200 OK/);
    assert.ok(answer.endsWith('x'.repeat(3_000_000)));
    carrier.write(dataFrame(3, flagFin, Buffer.alloc(0)));
    assert.equal(await until(1), '');
    await open(5, 'error', '9');
    await open(7, 'data', '9');
    assert.match(await until(5), /error forwarding port 9 to pod/);
    carrier.destroy();
    codec.close();
  });

  it('runs commands over SPDY, as older clients do', async () => {
    const path = `/exec/default/pod/main?input=1&output=1&error=1&command=sh&command=-c&command=${encodeURIComponent('cat; echo err >&2; exit 6')}`;
    const carrier = await upgrade(path, 'SPDY/3.1', { 'x-stream-protocol-version': 'v4.channel.k8s.io' });
    const codec = new HeaderCodec();
    const names = ['error', 'stdin', 'stdout', 'stderr'];
    for (const [index, streamType] of names.entries()) {
      carrier.write(controlFrame(frameType.synStream, 0, Buffer.concat([words(index * 2 + 1, 0), Buffer.alloc(2), await codec.write({ streamType })])));
    }
    carrier.write(dataFrame(3, 0, Buffer.from('typed')));
    carrier.write(dataFrame(3, flagFin, Buffer.alloc(0)));
    const seen: Record<string, string> = {};
    const reader = new FrameReader();
    for await (const chunk of carrier as AsyncIterable<Buffer>) {
      for (const frame of reader.add(chunk)) {
        if (frame.kind === 'data') seen[names[frame.stream >> 1]!] = (seen[names[frame.stream >> 1]!] ?? '') + frame.payload.toString();
      }
    }
    assert.deepEqual([seen['stdout'], seen['stderr']], ['typed', 'err\n']);
    assert.match(seen['error']!, /"ExitCode","message":"6"/);
    codec.close();
  });

  it('attaches to the main process, and follows its log to the end', async () => {
    const following = get('/containerLogs/default/pod/main?follow=true');
    const socket = dial('/attach/default/pod/main?input=1&output=1&error=1', 'v5.channel.k8s.io');
    const seen = channels(socket);
    await once(socket, 'open');
    await sleep(50);
    socket.send(Buffer.from('\0one\ntwo\n'));
    await sleep(100);
    const id = node.pod('pod')!.status!.containerStatuses![0]!.containerID!.slice('gantry://'.length);
    await node.core.containers.kill(id, 15, { all: true });
    await node.core.containers.kill(id, 9);
    assert.equal((await seen)[1], 'got one\ngot two\n');
    assert.match((await following).body, /got two\n$/);
    node.api.delete(podsRef, 'pod', 'default', 0);
  });
});

/** The payloads of WebSocket messages as a byte stream, from a client's side (masked with zeros). */
function messagesOf(socket: Duplex): Duplex {
  let held = Buffer.alloc(0);
  const stream = new Duplex({
    read() {},
    write(chunk: Buffer, _, done) {
      const length = Buffer.alloc(8);
      length.writeUInt16BE(chunk.length, 2);
      socket.write(Buffer.concat([Buffer.of(0x82, 0x80 | 126), length.subarray(2, 4), Buffer.alloc(4), chunk]), done);
    },
    destroy(_, done) {
      socket.destroy();
      done(null);
    },
  });
  socket.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    for (;;) {
      const short = (held[1] ?? 0) & 0x7f;
      const head = short === 127 ? 10 : short === 126 ? 4 : 2;
      if (held.length < head) return;
      const length = short === 127 ? Number(held.readBigUInt64BE(2)) : short === 126 ? held.readUInt16BE(2) : short;
      if (held.length < head + length) return;
      stream.push(held.subarray(head, head + length));
      held = held.subarray(head + length);
    }
  });
  return stream;
}
