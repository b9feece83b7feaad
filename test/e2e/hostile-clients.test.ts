/** Clients that send too much, too many, too slowly or nonsense, at both doors: they are told or cut, others are served, memory stays bounded. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { routes } from '#docker-api/routes/index.ts';
import { TestDaemon, until, whyNoDaemon } from '../support/daemon.ts';
import { growth, hang, kubeDoor, say, sendBody, unixDoor } from '../support/hostile-client.ts';
import type { DoorAddress } from '../support/hostile-client.ts';
import { isStress } from '../support/stress.ts';

const mebibyte = 1 << 20;
/** A body, and how many are sent at a time: kept in memory they would be seen. */
const bodyBytes = (isStress ? 1024 : 48) * mebibyte;
const atOnce = 8;
/** What the daemon may grow by meanwhile; the pieces that are under way, and what is not collected yet. */
const growthBytes = 256 * mebibyte;
const idleClients = isStress ? 10_000 : 4500;

describe('hostile clients', { skip: whyNoDaemon('docker', 'kubectl') }, () => {
  const daemon = new TestDaemon();
  let pid: number;
  let docker: DoorAddress;
  let kube: DoorAddress;
  before(async () => {
    await daemon.up();
    await daemon.busybox();
    await daemon.ok('docker', 'run', '-d', '--name', 'cat', '-i', 'bb', 'cat');
    pid = (await daemon.status()).daemon.pid!;
    docker = unixDoor(daemon.socket);
    kube = await kubeDoor(daemon.kubeconfig);
  });
  after(() => daemon.end());

  async function bothServe(): Promise<void> {
    for (const [door, path] of [[docker, '/containers/cat/json'], [kube, '/api/v1/namespaces/default']] as const) {
      assert.equal((await say(door, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)).status, 200, path);
    }
    assert.equal((JSON.parse(readFileSync(join(daemon.root, 'run/daemon.json'), 'utf8')) as { pid: number }).pid, pid, 'it is the same daemon');
  }

  async function realClientsAreServed(): Promise<void> {
    assert.equal(await daemon.ok('docker', 'inspect', '-f', '{{.Name}}', 'cat'), '/cat');
    assert.equal(await daemon.ok('kubectl', 'get', 'namespace', 'default', '-o', 'name'), 'namespace/default');
  }

  /** Sends the body to each; `answer` is checked by the caller. */
  async function flood(door: DoorAddress, targets: readonly { method: string; path: string; type?: string }[]): Promise<Map<string, number>> {
    const said = new Map<string, number>();
    const queue = [...targets];
    await Promise.all(Array.from({ length: atOnce }, async () => {
      for (let target = queue.shift(); target; target = queue.shift()) {
        const { status } = await sendBody(door, { ...target, bytes: bodyBytes, chunked: queue.length % 2 === 0 });
        said.set(`${target.method} ${target.path}`, status);
      }
    }));
    return said;
  }

  test(`a body of ${bodyBytes / mebibyte} MiB to each route of Docker's door`, async () => {
    const taking = routes.filter(({ method }) => method !== 'GET' && method !== 'HEAD');
    const targets: { method: string; path: string; type?: string }[] = taking.map(({ method, path }) => ({ method, path: path.replace(/\{\w+(\.\.\.)?\}/, 'nothing') }));
    const tar = 'application/x-tar';
    targets.push(
      { method: 'POST', path: '/containers/cat/exec' },
      ...[
        { method: 'PUT', path: '/containers/cat/archive?path=/', type: tar },
        { method: 'POST', path: '/images/create?fromSrc=-', type: tar },
        { method: 'POST', path: '/build?version=1', type: tar },
        { method: 'POST', path: '/images/load', type: tar },
      ],
    );
    let said = new Map<string, number>();
    const grown = await growth(pid, async () => {
      said = await flood(docker, targets);
    });
    // what takes no body does not read it, and does its work; prunes are such
    const odd = [...said].filter(([target, status]) => !(status >= 400 || (status === 200 && /prune|load|build|images\/create|push/.test(target))));
    assert.deepEqual(odd, []);
    assert.ok(grown < growthBytes, `it grew by ${grown / mebibyte} MiB`);
    await bothServe();
  });

  test(`a body of ${bodyBytes / mebibyte} MiB to each kind of path of Kubernetes' door`, async () => {
    const at = '/api/v1/namespaces/default';
    const bodies = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];
    const patches = ['json-patch+json', 'merge-patch+json', 'strategic-merge-patch+json', 'apply-patch+yaml'].map((kind) => `application/${kind}`);
    const targets = [
      ...bodies.map((type) => ({ method: 'POST', path: `${at}/configmaps`, type })),
      ...bodies.map((type) => ({ method: 'PUT', path: `${at}/configmaps/x`, type })),
      ...patches.map((type) => ({ method: 'PATCH', path: `${at}/configmaps/kube-root-ca.crt`, type })),
      ...['pods', 'pods/x/binding', 'pods/x/eviction', 'pods/x/exec', 'pods/x/attach', 'pods/x/portforward', 'serviceaccounts/default/token'].map((path) => ({ method: 'POST', path: `${at}/${path}` })),
      ...['pods/x/status', 'pods/x/ephemeralcontainers'].map((path) => ({ method: 'PUT', path: `${at}/${path}` })),
      { method: 'DELETE', path: `${at}/configmaps/x` },
      { method: 'DELETE', path: `${at}/events` },
      { method: 'POST', path: '/apis/authorization.k8s.io/v1/subjectaccessreviews' },
      { method: 'POST', path: '/apis/authentication.k8s.io/v1/tokenreviews' },
    ];
    let said = new Map<string, number>();
    const grown = await growth(pid, async () => {
      said = await flood(kube, targets);
    });
    assert.deepEqual([...said].filter(([, status]) => status < 400 || status >= 500), []);
    assert.ok(grown < growthBytes, `it grew by ${grown / mebibyte} MiB`);
    await bothServe();
  });

  for (const [what, first] of [['that say nothing', ''], ['that stop amid a header', 'GET /_ping HTTP/1.1\r\nHost: x\r\nX-Slow: ']] as const) {
    test(`${idleClients} connections ${what} keep nobody out, at either door`, async () => {
      let sockets: Socket[] = [];
      const grown = await growth(pid, async () => {
        sockets = await hang(idleClients, docker.bare, first);
        await bothServe();
        for (const socket of sockets) socket.destroy();
        sockets = await hang(idleClients, kube.bare, first);
        await realClientsAreServed();
      });
      for (const socket of sockets) socket.destroy();
      assert.ok(grown < growthBytes, `it grew by ${grown / mebibyte} MiB`);
      await bothServe();
    });
  }

  const nonsense: readonly [what: string, bytes: string, ...statuses: number[]][] = [
    ['no HTTP at all', 'garbage\r\n\r\n', 400],
    ['a request and garbage behind it', 'GET /version HTTP/1.1\r\nHost: x\r\n\r\n\x00\x01\x02garbage\r\n\r\n', 200, 400],
    ['two ways to say how long the body is', 'POST /version HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /version HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    ['two lengths', 'POST /version HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n123456', 400],
    ['an encoding that hides another', 'POST /version HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n', 400],
    ['a length below nothing', 'POST /version HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n', 400],
    ['a chunk of no size', 'POST /version HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', 400],
    ['a zero byte in a header', 'GET /version HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n', 400],
    ['a path without an end', `GET /${'a'.repeat(2 * mebibyte)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431],
    ['a header without an end', `GET /version HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(2 * mebibyte)}\r\n\r\n`, 431],
    ['headers without an end', `GET /version HTTP/1.1\r\nHost: x\r\n${'X: y\r\n'.repeat(400_000)}\r\n`, 431],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
  ];
  test('nonsense is answered with what is wrong, or cut', async () => {
    for (const [what, bytes, ...statuses] of nonsense) {
      for (const door of [docker, kube]) {
        const said = await say(door, bytes);
        assert.ok(statuses.includes(said.status) || said.status === 0, `${what} at ${door.name}: ${said.status} ${said.head}`);
      }
    }
    await bothServe();
  });

  test('clients that do not read a log, an attached output, events or a watch cost no memory, and keep nobody waiting', async () => {
    const ask = async (door: DoorAddress, target: string, more = ''): Promise<Socket> => {
      const socket = await door.connect();
      socket.pause();
      socket.write(`${target} HTTP/1.1\r\nHost: x\r\n${more}\r\n`);
      return socket;
    };
    await daemon.ok('docker', 'create', '--name', 'loud', 'bb', 'sh', '-c', 'yes "$(seq 1 300 | tr -d "\\n")" | head -c 30000000; echo; echo done; sleep 1000');
    const grown = await growth(pid, async () => {
      const clients = await Promise.all(Array.from({ length: 100 }, () => ask(docker, 'POST /containers/loud/attach?stream=1&stdout=1', 'Connection: Upgrade\r\nUpgrade: tcp\r\n')));
      const readers = await Promise.all(Array.from({ length: 10 }, () => [
        ask(docker, 'GET /events'),
        ask(kube, 'GET /api/v1/namespaces/default/configmaps?watch=1'),
      ]).flat());
      await daemon.ok('docker', 'start', 'loud');
      clients.push(...readers);
      clients.push(...(await Promise.all(Array.from({ length: 10 }, () => ask(docker, 'GET /containers/loud/logs?stdout=1&follow=1')))));
      for (let i = 0; i < 12; i++) {
        const made = await daemon.run('kubectl', ['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `large-${i}` }, data: { a: 'x'.repeat(800_000) } }));
        assert.equal(made.code, 0, made.stderr);
      }
      await bothServe();
      for (const client of clients) client.destroy();
    });
    assert.ok(grown < growthBytes, `it grew by ${grown / mebibyte} MiB`);
    await until('the container to have printed all', async () => (await daemon.ok('docker', 'logs', '-n', '1', 'loud')) === 'done', 60);
    await bothServe();
  });

  test('who pipelines without reading is not read from without an end', async () => {
    const request = 'GET /version HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1000);
    for (const door of [docker, kube]) {
      const grown = await growth(pid, async () => {
        const socket = await door.connect();
        socket.pause();
        let taken = 0;
        for (let i = 0; i < 200; i++) socket.write(request, () => taken++);
        await until('the door to stop taking requests', async () => {
          const before = taken;
          await new Promise((resolve) => setTimeout(resolve, 300));
          return taken === before;
        });
        await bothServe();
        socket.destroy();
      });
      assert.ok(grown < growthBytes, `${door.name}: it grew by ${grown / mebibyte} MiB`);
    }
  });
});
