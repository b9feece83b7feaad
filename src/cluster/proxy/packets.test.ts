import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { EndpointSlice, Service } from '#api/kube/types.ts';
import { systemClock } from '#lib/clock.ts';
import { emptyState, frontendsOf, stateOf } from './desired.ts';
import { changes, wholeTable } from './rules.ts';

const skip = process.getuid?.() !== 0 ? 'it needs root' : missingTool();

function missingTool(): string | false {
  for (const tool of ['ip', 'nft', 'busybox']) {
    try {
      execFileSync('which', [tool], { stdio: 'ignore' });
    } catch {
      return `it needs ${tool}`;
    }
  }
  return false;
}

const table = 'services_test';
const serviceCidr = '10.96.0.0/16';
const clusterIp = '10.96.0.5';
const pods = ['10.244.0.2', '10.244.0.3', '10.244.0.4'];

/** Greets with its own address and that of the client. */
const server = `const name = process.argv[1];
require('node:net').createServer((c) => c.on('error', () => {}).end(name + ' ' + c.remoteAddress)).listen(8080, '0.0.0.0', () => console.log('up'))`;

function service(spec: Partial<NonNullable<Service['spec']>> = {}): Service {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name: 's', namespace: 'n' }, spec: { clusterIP: clusterIp, ports: [{ port: 80 }], ...spec } };
}

function slice(addresses: readonly string[]): EndpointSlice {
  const endpoints = addresses.map((a) => ({ addresses: [a] }));
  return { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4', metadata: { name: 's-1', namespace: 'n' }, ports: [{ port: 8080 }], endpoints };
}

const stateFor = (s: Service, addresses: readonly string[]) => stateOf(frontendsOf(s, [slice(addresses)], 'here'));

/** A node with three pods, and a machine outside, in namespaces of their own. */
describe('packets of Services', { skip }, () => {
  const mark = randomBytes(3).toString('hex');
  const node = `gt${mark}n`;
  const outside = `gt${mark}o`;
  const podName = (i: number): string => `gt${mark}p${i}`;
  const servers: ChildProcess[] = [];
  let applied = emptyState;

  const ip = (...words: string[]): void => void execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'pipe'] });
  const inside = (name: string, command: string): string => execFileSync('ip', ['netns', 'exec', name, 'sh', '-c', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const nft = (text: string): void => void execFileSync('ip', ['netns', 'exec', node, 'nft', '-f', '-'], { input: text, stdio: ['pipe', 'ignore', 'pipe'] });
  /** `server client` of one connection. */
  const get = (from: string, address: string, port = 80): string[] => inside(from, `busybox nc -w 2 ${address} ${port} < /dev/null`).split(' ');
  const want = (s: Service, addresses: readonly string[]): void => {
    const wanted = stateFor(s, addresses);
    nft(changes(table, applied, wanted));
    applied = wanted;
  };

  before(async () => {
    ip('netns', 'add', node);
    inside(node, `ip link set lo up; ip link add br0 type bridge; ip addr add 10.244.0.1/24 dev br0; ip link set br0 up; ip route add ${serviceCidr} dev br0
      echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv4/conf/br0/route_localnet
      echo 0 > /proc/sys/net/bridge/bridge-nf-call-iptables 2>/dev/null || true`);
    for (const [i, address] of pods.entries()) {
      const name = podName(i);
      ip('netns', 'add', name);
      inside(node, `ip link add v${i} type veth peer name eth0 netns ${name}; ip link set v${i} master br0 up; bridge link set dev v${i} hairpin on`);
      inside(name, `ip link set lo up; ip addr add ${address}/32 dev eth0; ip link set eth0 up; ip route add 10.244.0.1 dev eth0; ip route add default via 10.244.0.1`);
    }
    ip('netns', 'add', outside);
    inside(node, `ip link add up0 type veth peer name eth0 netns ${outside}; ip addr add 192.0.2.1/24 dev up0; ip link set up0 up`);
    inside(outside, 'ip addr add 192.0.2.2/24 dev eth0; ip link set eth0 up; ip route add default via 192.0.2.1');
    nft(wholeTable(table, { serviceCidr }, emptyState));
    nft('table ip masq {\n chain post {\n type nat hook postrouting priority srcnat;\n ip saddr 127.0.0.0/8 oifname "br0" masquerade\n }\n chain hush {\n type filter hook output priority filter;\n oifname "br0" icmp type redirect drop\n }\n}\n');
    for (const [i, address] of pods.entries()) {
      const child = spawn('ip', ['netns', 'exec', podName(i), process.execPath, '-e', server, address], { stdio: ['ignore', 'pipe', 'inherit'] });
      servers.push(child);
      await new Promise((resolve) => child.stdout.once('data', resolve));
    }
  });

  after(() => {
    for (const child of servers) child.kill('SIGKILL');
    for (const name of [node, outside, ...pods.map((_, i) => podName(i))]) {
      try {
        ip('netns', 'del', name);
      } catch {
        // it was not made
      }
    }
  });

  test('a cluster address leads to every endpoint, from pods with their own address and from the node', () => {
    want(service(), pods.slice(0, 2));
    const seen = new Set<string>();
    for (let i = 0; i < 12; i++) {
      const [backend, client] = get(podName(2), clusterIp);
      seen.add(backend ?? '');
      assert.equal(client, pods[2]);
    }
    assert.deepEqual(seen, new Set(pods.slice(0, 2)));
    assert.ok(pods.includes(get(node, clusterIp)[0] ?? ''));
  });

  test('a pod reaches itself through its Service', () => {
    want(service(), pods.slice(0, 1));
    assert.equal(get(podName(0), clusterIp)[0], pods[0]);
  });

  test('without endpoints, on another port, and at an address that no Service has, it is refused at once', () => {
    want(service(), []);
    for (const from of [podName(2), node]) {
      for (const [address, port] of [[clusterIp, 80], [clusterIp, 81], ['10.96.7.7', 80]] as const) assert.throws(() => get(from, address, port), /refused/, `${address}:${port} from ${from}`);
    }
  });

  test('a node port answers outside, in pods, on the node and on its loopback', () => {
    want(service({ type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] }), pods.slice(0, 1));
    assert.deepEqual(get(outside, '192.0.2.1', 30080), [pods[0], '192.0.2.2']);
    for (const from of [podName(1), node]) assert.equal(get(from, '192.0.2.1', 30080)[0], pods[0]);
    assert.equal(get(node, '127.0.0.1', 30080)[0], pods[0]);
  });

  test('with affinity a client stays with its endpoint, when others come and go, until it was away too long', async () => {
    const sticky = (seconds: number) => service({ type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }], sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: seconds } } });
    want(sticky(60), pods.slice(0, 2));
    const [first] = get(podName(2), clusterIp);
    const [outer] = get(outside, '192.0.2.1', 30080);
    want(sticky(60), pods);
    for (let i = 0; i < 8; i++) {
      assert.equal(get(podName(2), clusterIp)[0], first);
      assert.equal(get(outside, '192.0.2.1', 30080)[0], outer);
    }
    const rest = pods.filter((p) => p !== first);
    want(sticky(60), rest);
    assert.ok(rest.includes(get(podName(2), clusterIp)[0] ?? ''));
    want(sticky(1), pods);
    inside(node, `nft flush map ip ${table} affinity`);
    const seen = new Set<string>();
    for (let i = 0; i < 8 && seen.size < 2; i++) {
      seen.add(get(podName(2), clusterIp)[0] ?? '');
      await wait(1_100);
    }
    assert.ok(seen.size > 1);
  });

  test('ten thousand Services are changed in a moment', () => {
    const many = (last: string) =>
      stateOf(
        Array.from({ length: 10_000 }, (_, i) => i).flatMap((i) =>
          frontendsOf(service({ clusterIP: `10.96.${i >> 8}.${i & 255}` }), [slice([pods[0] ?? '', i === 9_999 ? last : (pods[1] ?? '')])], 'here'),
        ),
      );
    const before = many(pods[1] ?? '');
    nft(wholeTable(table, { serviceCidr }, before));
    const started = systemClock.monotonic();
    nft(changes(table, before, many(pods[2] ?? '')));
    const tookMs = Number(systemClock.monotonic() - started) / 1e6;
    assert.ok(tookMs < 2_000, `one change took ${tookMs} ms`);
    applied = before;
  });
});
