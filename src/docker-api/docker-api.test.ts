import assert from 'node:assert/strict';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { systemClock } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import { silentLogger } from '#lib/log.ts';
import type { AttachStreams, Backends } from './backends.ts';
import { serveDoor } from '#test/support/docker-door.ts';
import { frame } from './frames.ts';
import type { ImageInspect } from '#api/docker/images.ts';
import { shapeImage } from './shape.ts';
import { createDockerApi } from './server.ts';

/** A process that says back what it hears, once its input ends. */
class Echo implements AttachStreams {
  heard = '';
  #output: (stream: 'stdout' | 'stderr', data: Uint8Array) => void = () => {};
  #end: () => void = () => {};
  onOutput(handler: (stream: 'stdout' | 'stderr', data: Uint8Array) => void): void {
    this.#output = handler;
  }
  onEnd(handler: () => void): void {
    this.#end = handler;
  }
  write(data: Uint8Array): Promise<void> {
    this.heard += Buffer.from(data).toString();
    return Promise.resolve();
  }
  endInput(): void {
    this.#output('stdout', Buffer.from(`heard ${this.heard}`));
    this.#output('stderr', Buffer.from('done'));
    this.#end();
  }
  pause(): void {}
  resume(): void {}
  close(): void {}
}

/** A process that says nothing; `end` ends it. */
class Quiet extends Echo {
  closed = false;
  end: () => void = () => {};
  #tell: () => void = () => {};
  readonly whenClosed = new Promise<void>((resolve) => (this.#tell = resolve));
  override onEnd(handler: () => void): void {
    this.end = handler;
  }
  override endInput(): void {}
  override close(): void {
    this.closed = true;
    this.#tell();
  }
}

/** A process whose client is cut off. */
class Cut extends Echo {
  override onEnd(handler: (cause?: Error) => void): void {
    handler(new Error('cut off: too slow'));
  }
}

let attached: Quiet | undefined;
const calls: string[] = [];
let released: (value: { StatusCode: number }) => void = () => {};

/** Only what these tests reach. */
const backends = {
  containers: {
    list: (options: { filters: object }) => {
      calls.push(`list ${JSON.stringify(options.filters)}`);
      return Promise.resolve([]);
    },
    start: () => Promise.reject(new Fault('not-modified', 'already started')),
    wait: () => Promise.resolve({ result: new Promise((resolve) => (released = resolve)) }),
    attach: (reference: string) => Promise.resolve({ tty: reference === 'slow-tty', streams: reference.startsWith('slow') ? new Cut() : (attached ?? new Echo()) }),
    create: (body: object) => Promise.resolve({ Id: JSON.stringify(body), Warnings: [] }),
  },
  execs: {
    start: (id: string, body: object) => {
      calls.push(`exec ${id} ${JSON.stringify(body)}`);
      return Promise.resolve({ tty: false, streams: new Echo() });
    },
  },
  images: {
    inspect: (name: string) => Promise.reject(new Fault('not-found', `No such image: ${name}`)),
    push: (options: { name: string }, emit: (m: object) => void) => {
      emit({ status: `to ${options.name} <now>` });
      return Promise.reject(new Fault('unavailable', 'no route'));
    },
    pull: () => Promise.reject(new Fault('not-found', 'manifest unknown')),
  },
  archives: {
    stat: () => Promise.reject(new Fault('not-found', 'Could not find the file /x in container c')),
    write: () => Promise.reject(new Fault('not-found', 'No such container: c')),
    export: () => Promise.resolve(Readable.from([Buffer.from('tar')])),
  },
} as unknown as Backends;

const socketPath = serveDoor(backends);

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

function ask(method: string, path: string, body?: string, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path, headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers } }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Sends raw bytes and half-closes, as the CLI does; gives all that comes back. */
function raw(parts: readonly string[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('end', () => resolve(Buffer.concat(chunks)));
    const send = (index: number): void => {
      const part = parts[index];
      if (part === undefined) socket.end();
      else socket.write(part, () => setImmediate(send, index + 1));
    };
    socket.on('connect', () => send(0));
  });
}

/** A connection whose upgrade has been answered. */
function begun(head: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path: socketPath, allowHalfOpen: true });
    socket.on('error', reject);
    socket.once('data', () => resolve(socket));
    socket.on('connect', () => socket.write(head));
  });
}

test('the socket is for root and its group alone', () => {
  assert.equal(statSync(socketPath).mode & 0o777, 0o660);
});

test('a second door on the same socket is refused, and the first goes on', async () => {
  const second = createDockerApi({ backends, log: silentLogger, clock: systemClock, version: '0.0.0' });
  await assert.rejects(second.listen(socketPath), /another engine serves/);
  assert.equal((await ask('GET', '/_ping')).body, 'OK');
});

test('ping tells what a client negotiates with', async () => {
  const answer = await ask('HEAD', '/_ping');
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['api-version'], '1.50');
  assert.equal(answer.headers['builder-version'], '1');
  assert.equal(answer.headers['ostype'], 'linux');
  assert.equal(answer.headers['content-length'], '0');
});

test('versions out of range, and paths that are not there, are refused in Docker\'s words', async () => {
  assert.deepEqual(JSON.parse((await ask('GET', '/v1.99/info')).body), {
    message: 'client version 1.99 is too new. Maximum supported API version is 1.50',
  });
  assert.match((await ask('GET', '/v1.23/info')).body, /too old. Minimum supported API version is 1.24/);
  assert.deepEqual(await ask('POST', '/v1.41/nowhere').then((a) => [a.status, a.body]), [404, '{"message":"page not found"}\n']);
  assert.equal((await ask('OPTIONS', '/anything')).status, 200);
});

test('filters come in two forms, and an unknown one is refused', async () => {
  calls.length = 0;
  for (const value of ['{"label":["a=b"]}', '{"label":{"a=b":true}}', '']) {
    assert.equal((await ask('GET', `/containers/json?filters=${encodeURIComponent(value)}`)).status, 200);
  }
  assert.deepEqual(calls, ['list {"label":["a=b"]}', 'list {"label":["a=b"]}', 'list {}']);
  const refused = await ask('GET', '/containers/json?filters={"colour":["red"]}');
  assert.deepEqual([refused.status, refused.body], [400, `{"message":"invalid filter 'colour'"}\n`]);
});

test('image names hold slashes and colons, encoded or not', async () => {
  for (const path of ['/images/127.0.0.1:5999/nope:1/json', '/v1.41/images/127.0.0.1%3A5999%2Fnope:1/json']) {
    const answer = await ask('GET', path);
    assert.deepEqual([answer.status, answer.body], [404, '{"message":"No such image: 127.0.0.1:5999/nope:1"}\n']);
  }
});

test('a failure before a stream is a status, one in it is a line', async () => {
  assert.equal((await ask('POST', '/images/create?fromImage=nope')).status, 404);
  const push = await ask('POST', '/images/host:5/x/push?tag=1');
  assert.equal(push.status, 200);
  assert.deepEqual(push.body.trim().split('\n').map((l) => JSON.parse(l) as object), [
    { status: 'to host:5/x <now>' },
    { errorDetail: { message: 'no route' }, error: 'no route' },
  ]);
  assert.match(push.body, /\\u003cnow\\u003e/);
});

test('a client that goes away amid a body that was refused ends nothing but its own connection', async () => {
  const socket = connect(socketPath);
  socket.write('PUT /containers/c/archive?path=/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nsome of it');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1\.1 404 /);
  socket.destroy();
  await once(socket, 'close');
  for (let i = 0; i < 5; i++) assert.equal((await ask('GET', '/_ping')).status, 200);
});

test('bodies: not JSON, another type, too large, absent', async () => {
  assert.equal((await ask('POST', '/containers/create', '{')).status, 400);
  assert.match((await ask('POST', '/containers/create', '{}', { 'Content-Type': 'text/plain' })).body, /unsupported Content-Type/);
  assert.equal((await ask('POST', '/containers/create', '{}', { 'Content-Length': '99999999' }).catch(() => ({ status: 413 }))).status, 413);
  assert.match((await ask('POST', '/containers/create')).body, /config cannot be empty/);
  assert.equal((await ask('POST', '/containers/create', '{"Image":"x"}')).status, 201);
});

test('a field of another type is refused by its path; a command may be one string; null is absent', async () => {
  const create = (body: object): Promise<Answer> => ask('POST', '/containers/create', JSON.stringify(body));
  const refused = await create({ Image: 'x', HostConfig: { Mounts: [{ Type: 'bind', ReadOnly: 'yes' }] } });
  assert.deepEqual([refused.status, JSON.parse(refused.body)], [400, { message: 'invalid JSON: cannot unmarshal string into field HostConfig.Mounts[0].ReadOnly of type boolean' }]);
  assert.equal((await create({ Image: 'x', Env: 'A=1' })).status, 400);
  assert.equal((await create({ Image: 'x', HostConfig: { Memory: 1.5 } })).status, 400);
  const made = JSON.parse((await create({ Image: 'x', Cmd: 'ls', Entrypoint: null, HostConfig: { Binds: null }, Later: 1 })).body) as { Id: string };
  assert.deepEqual(JSON.parse(made.Id), { Image: 'x', Cmd: ['ls'], Entrypoint: null, HostConfig: { Binds: null }, Later: 1 });
  const nulls = { Image: 'x', User: null, Healthcheck: { Test: ['NONE'], Timeout: null, Retries: null }, HostConfig: { Memory: null, Init: null } };
  assert.deepEqual(JSON.parse((JSON.parse((await create(nulls)).body) as { Id: string }).Id), { Image: 'x', Healthcheck: { Test: ['NONE'] }, HostConfig: {} });
});

test('settings that a start or a build would not heed are refused', async () => {
  const started = await ask('POST', '/containers/c/start', JSON.stringify({ Privileged: true }));
  assert.deepEqual([started.status, /non-empty request body/.test(started.body)], [400, true]);
  assert.equal((await ask('POST', '/containers/c/start', '{}')).status, 304);
  const built = await ask('POST', '/build?securityopt=seccomp%3Dunconfined');
  assert.deepEqual([built.status, /does not support setting security options/.test(built.body)], [400, true]);
});

test('inspect of an image has the volumes of its config for docker-compose 1.29, in every version', () => {
  const image = { Config: { Volumes: { '/v': {} } } } as unknown as ImageInspect;
  const of = (version: number): unknown => (shapeImage(image, version) as { ContainerConfig: unknown }).ContainerConfig;
  assert.deepEqual([of(38), of(50)], [{ Volumes: { '/v': {} } }, { Volumes: { '/v': {} } }]);
});

test('not modified has no body; a HEAD that fails has none either', async () => {
  assert.deepEqual(await ask('POST', '/containers/c/start').then((a) => [a.status, a.body]), [304, '']);
  assert.deepEqual(await ask('HEAD', '/containers/c/archive?path=/x').then((a) => [a.status, a.body]), [404, '']);
});

test('wait answers its headers at once and its body at the end', async () => {
  const status = await new Promise<number>((resolve, reject) => {
    const sent = request({ socketPath, method: 'POST', path: '/v1.41/containers/c/wait?condition=next-exit' }, (answer) => {
      const early = answer.statusCode ?? 0;
      let body = '';
      answer.on('data', (chunk: Buffer) => (body += chunk.toString()));
      answer.on('end', () => resolve(body.includes('"StatusCode":7') ? early : -1));
      released({ StatusCode: 7 });
    });
    sent.on('error', reject);
    sent.end();
  });
  assert.equal(status, 200);
  assert.equal((await ask('POST', '/containers/c/wait?condition=never')).status, 400);
});

const frames = (heard: string): Buffer => Buffer.concat([frame('stdout', Buffer.from(`heard ${heard}`)), frame('stderr', Buffer.from('done'))]);

test('attach is upgraded, and the client\'s half-close ends input alone', async () => {
  const head = 'POST /v1.50/containers/c/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n';
  const answer = await raw([head, 'hel', 'lo']);
  const [top, rest] = split(answer);
  assert.match(top, /^HTTP\/1.1 101 UPGRADED\r\n/);
  assert.match(top, /application\/vnd.docker.multiplexed-stream/);
  assert.deepEqual(rest, frames('hello'));
});

test('attach lets go of a quiet process once its client is gone, and not when it has only ended its input', async () => {
  const head = 'POST /v1.50/containers/c/attach?stream=1&stdout=1&stdin=IN HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n';
  for (const stdin of ['0', '1']) {
    const echo = new Quiet();
    attached = echo;
    const half = await begun(head.replace('IN', stdin));
    half.end();
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(echo.closed, false, `half-closed, stdin=${stdin}`);
    half.destroy();
    attached = new Quiet();
    const gone = await begun(head.replace('IN', stdin));
    const closed = attached.whenClosed;
    gone.destroy();
    await closed;
    echo.end();
  }
  attached = undefined;
});

test('exec start: the JSON body comes with the upgrade, and what follows it is input', async () => {
  calls.length = 0;
  const body = '{"Detach":false,"Tty":false}';
  const head = `POST /v1.41/exec/e1/start HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`;
  for (const parts of [[head + body + 'in'], [head, body.slice(0, 9), `${body.slice(9)}i`, 'n']]) {
    const [top, rest] = split(await raw(parts));
    assert.match(top, /application\/vnd.docker.raw-stream/);
    assert.deepEqual(rest, frames('in'));
  }
  assert.deepEqual(calls, Array(2).fill('exec e1 {"Detach":false,"Tty":false}'));
});

test('attach without an upgrade is a plain answer until close', async () => {
  const head = 'POST /containers/c/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\n\r\nhi';
  const [top, rest] = split(await raw([head]));
  assert.match(top, /^HTTP\/1.1 200 OK/);
  assert.doesNotMatch(top, /chunked|Content-Length/i);
  assert.deepEqual(rest, frames('hi'));
});

test('an attached client that is cut off is told so: in the stream of errors, or on its terminal', async () => {
  const told = async (reference: string): Promise<Buffer> => {
    const head = `POST /containers/${reference}/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`;
    return split(await raw([head]))[1];
  };
  assert.deepEqual(await told('slow'), frame('systemerr', Buffer.from('cut off: too slow')));
  assert.equal((await told('slow-tty')).toString(), '\r\ncut off: too slow\r\n');
});

test('an upgrade that fails is answered as an error', async () => {
  const answer = await raw(['POST /v1.99/containers/c/attach HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n']);
  assert.match(answer.toString(), /^HTTP\/1.1 400 Bad Request[^]*too new/);
});

test('what is absent says so by name', async () => {
  assert.deepEqual(await ask('GET', '/plugins').then((a) => a.body), '[]\n');
  assert.deepEqual(await ask('GET', '/services').then((a) => a.status), 503);
  assert.deepEqual(await ask('POST', '/build').then((a) => [a.status, a.body]), [501, '{"message":"POST /build is not implemented by Gantry yet"}\n']);
  assert.match((await ask('GET', '/images/search?term=x')).body, /GET \/images\/search is not implemented/);
});

function split(answer: Buffer): [string, Buffer] {
  const at = answer.indexOf('\r\n\r\n');
  return [answer.subarray(0, at).toString(), answer.subarray(at + 4)];
}
