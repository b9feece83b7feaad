import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { createMemoryStore } from '#core/store/memory/store.ts';
import { createRecords } from '#core/store/records.ts';
import { systemClock } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import { createLogger } from '#lib/log.ts';
import { hex, systemRandom } from '#lib/random.ts';
import { linuxKernel } from '#sys/linux.ts';
import type { Kernel } from '#sys/types.ts';
import { acceptForwarding, forgetForwarding } from './foreign.ts';
import { linkNames } from './links.ts';
import { openNetworks, type NetworksOptions } from './open.ts';
import { dropTable } from './rules.ts';
import type { Networks } from './types.ts';

const skip = process.getuid?.() === 0 ? false : 'it needs root';

describe('networks', { skip }, () => {
  const instance = hex(systemRandom, 3);
  const names = linkNames(instance);
  const directory = mkdtempSync(join(tmpdir(), 'gantry-net-'));
  const records = createRecords(createMemoryStore());
  const sandboxes: string[] = [];
  let kernel: Kernel;
  let networks: Networks;
  let netlink: ReturnType<Kernel['netlinks']['open']>;
  const open = (over: Partial<NetworksOptions> = {}) => openNetworks({ kernel, records, instance, clock: systemClock, random: systemRandom, log: createLogger({ write: () => {} }), ...over });
  const bridge = () => networks.get('bridge')?.id ?? '';

  /** A pinned namespace on a network. */
  async function sandbox(id: string, network = bridge(), aliases: string[] = []): Promise<{ namespace: string; address: string }> {
    const namespace = join(directory, id);
    if (!sandboxes.includes(id)) {
      kernel.namespaces.pin('net', namespace);
      sandboxes.push(id);
    }
    const { address } = await networks.attach(network, { sandboxId: id, namespace, aliases });
    return { namespace, address };
  }

  const inside = (namespace: string, script: string): string => execFileSync('nsenter', [`--net=${namespace}`, 'sh', '-c', script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

  before(async () => {
    kernel = linuxKernel();
    netlink = kernel.netlinks.open();
    networks = await open();
  });
  afterEach(async () => {
    for (const id of sandboxes.splice(0)) {
      for (const e of networks.endpoints({ sandbox: id })) await networks.detach(e.networkId, id);
      kernel.namespaces.unpin(join(directory, id));
    }
    for (const n of networks.list()) if (!n.predefined) await networks.remove(n.id);
  });
  after(async () => {
    await networks.close();
    kernel.nft.run(dropTable(names.table));
    netlink.deleteLink(names.defaultBridge);
    netlink.close();
    rmSync(directory, { recursive: true, force: true });
  });

  test('has the predefined networks, which cannot be removed', async () => {
    assert.deepEqual(networks.list().map((n) => n.name).sort(), ['bridge', 'host', 'none']);
    await assert.rejects(networks.remove(bridge()), /bridge is a pre-defined network and cannot be removed/);
    await assert.rejects(networks.create({ name: 'host', driver: 'bridge' }), /operation is not permitted on predefined host network/);
  });

  test('what a crash left in the kernel and in no record is cleared, or completed', async () => {
    const instance = hex(systemRandom, 3);
    const { defaultBridge, table } = linkNames(instance);
    const netlink = kernel.netlinks.open();
    try {
      netlink.createBridge(defaultBridge);
      netlink.createVeth(linkNames(instance).hostEnd('0123456789'), { name: `gt${instance}` });
      const crashed = await open({ records: createRecords(createMemoryStore()), instance });
      assert.deepEqual(netlink.links().filter((l) => l.name.includes(instance)).map((l) => [l.name, l.kind]), [[defaultBridge, 'bridge']]);
      await crashed.close();
    } finally {
      kernel.nft.run(dropTable(table));
      netlink.deleteLink(defaultBridge);
      netlink.close();
    }
  });

  test('endpoints of one network reach each other and the host', async () => {
    const a = await sandbox('a');
    const b = await sandbox('b');
    assert.notEqual(a.address, b.address);
    assert.match(inside(a.namespace, `busybox ping -c 1 -W 2 ${b.address}`), /1 packets received/);
    const gateway = networks.get('bridge')?.ipam.config[0]?.gateway;
    assert.match(inside(a.namespace, `busybox ping -c 1 -W 2 ${gateway}`), /1 packets received/);
  });

  test('networks are kept apart, and an internal one has no way out', async () => {
    const one = await networks.create({ name: 'one', driver: 'bridge' });
    const two = await networks.create({ name: 'two', driver: 'bridge', internal: true });
    const a = await sandbox('a', one.id);
    const b = await sandbox('b', two.id);
    assert.throws(() => inside(a.namespace, `busybox ping -c 1 -W 1 ${b.address}`));
    assert.doesNotMatch(inside(b.namespace, 'busybox ip route'), /default/);
    await assert.rejects(networks.remove(one.id), (error: Fault) => error.kind === 'forbidden' && /has active endpoints/.test(error.message));
  });

  test('publishes a port on every local address, loopback and IPv6 too, and to the container itself', async () => {
    const a = await sandbox('a');
    const server = execServer(a.namespace, 8080);
    await new Promise((resolve) => server.stdout?.once('data', resolve));
    try {
      const [first] = await networks.publish('a', [{ containerPort: 8080, protocol: 'tcp' }]);
      const port = first?.hostPort ?? 0;
      const gateway = networks.get('bridge')?.ipam.config[0]?.gateway;
      for (const host of ['127.0.0.1', gateway, '[::1]']) {
        const answer = await fetch(`http://${host}:${port}/`);
        assert.equal(await answer.text(), 'here', `by ${host}`);
      }
      assert.equal(await output(a.namespace, `curl -s -m 3 http://${gateway}:${port}/`), 'here');
    } finally {
      server.kill('SIGKILL');
    }
  });

  test('publishes UDP, on one address, and the first free port of a range', async () => {
    const a = await sandbox('a');
    const echo = `require('node:dgram').createSocket('udp4').on('message', function (m, r) { this.send(m, r.port, r.address) }).bind(53, () => console.log('up'))`;
    const server = execFile('nsenter', [`--net=${a.namespace}`, process.execPath, '-e', echo]);
    await new Promise((resolve) => server.stdout?.once('data', resolve));
    const taken = createSocket('udp4');
    await new Promise<void>((resolve) => taken.bind(0, '127.0.0.1', resolve));
    const { port } = taken.address();
    const client = createSocket('udp4');
    try {
      const [published] = await networks.publish('a', [{ containerPort: 53, protocol: 'udp', hostIp: '127.0.0.1', hostPort: port, hostPortEnd: port + 3 }]);
      assert.equal(published?.hostIp, '127.0.0.1');
      assert.ok(published.hostPort > port && published.hostPort <= port + 3);
      const answered = new Promise<string>((resolve) => client.once('message', (message) => resolve(message.toString())));
      client.send('hello', published.hostPort, '127.0.0.1');
      assert.equal(await answered, 'hello');
    } finally {
      client.close();
      taken.close();
      server.kill('SIGKILL');
    }
  });

  test('a port that is taken is refused in the words that clients know, and nothing stays half published', async () => {
    await sandbox('a');
    const taken = createServer().listen(0, '0.0.0.0');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as { port: number };
    try {
      await assert.rejects(networks.publish('a', [{ containerPort: 1, protocol: 'tcp' }, { containerPort: 2, protocol: 'tcp', hostPort: port }]), new RegExp(`Bind for 0.0.0.0:${port} failed: port is already allocated`));
      assert.deepEqual(networks.published('a'), []);
    } finally {
      taken.close();
    }
  });

  test('containers of a network of their own find each other by name, and survive a restart of the daemon', async () => {
    const net = await networks.create({ name: 'apps', driver: 'bridge' });
    const a = await sandbox('a', net.id, ['web']);
    const b = await sandbox('b', net.id, ['db', 'store']);
    await networks.serveNames('a', { namespace: a.namespace, upstreams: [] });
    await networks.publish('b', [{ containerPort: 9, protocol: 'tcp', hostPort: 0 }]);
    const published = networks.published('b');
    assert.match(await asked(a.namespace, 'store'), new RegExp(b.address.replaceAll('.', '\\.')));
    await networks.close();
    networks = await open();
    assert.match(await asked(a.namespace, 'db.apps'), new RegExp(b.address.replaceAll('.', '\\.')));
    assert.deepEqual(networks.published('b'), published);
    assert.equal(networks.endpoints({ network: net.id }).length, 2);
  });

  test('what leaves one of two networks keeps its way out and its published port', async () => {
    const one = await networks.create({ name: 'one', driver: 'bridge' });
    const two = await networks.create({ name: 'two', driver: 'bridge' });
    const { namespace } = await sandbox('a', one.id);
    const second = await networks.attach(two.id, { sandboxId: 'a', namespace });
    assert.equal(second.interfaceName, 'eth1');
    const [port] = await networks.publish('a', [{ containerPort: 8080, protocol: 'tcp' }]);
    await networks.detach(one.id, 'a');
    assert.match(inside(namespace, 'busybox ip route'), new RegExp(`default via ${second.gateway} dev eth1`));
    const server = execServer(namespace, 8080);
    await new Promise((resolve) => server.stdout?.once('data', resolve));
    try {
      for (const host of ['127.0.0.1', '[::1]']) assert.equal(await (await fetch(`http://${host}:${port?.hostPort}/`)).text(), 'here', host);
    } finally {
      server.kill('SIGKILL');
    }
    await networks.detach(two.id, 'a');
    assert.deepEqual(networks.published('a'), []);
    // and comes back by the name that it had
    assert.equal((await networks.attach(one.id, { sandboxId: 'a', namespace })).interfaceName, 'eth0');
  });

  test('point to point, neighbours meet through the host; without enable_icc they do not meet', async () => {
    const routed = await networks.create({ name: 'routed', driver: 'bridge', options: { 'gantry.network.point_to_point': 'true' } });
    const apart = await networks.create({ name: 'apart', driver: 'bridge', options: { 'com.docker.network.bridge.enable_icc': 'false' } });
    const a = await sandbox('a', routed.id);
    const b = await sandbox('b', routed.id);
    assert.match(inside(a.namespace, `busybox ping -c 1 -W 2 ${b.address}`), /ttl=63/);
    const c = await sandbox('c', apart.id);
    const d = await sandbox('d', apart.id);
    assert.throws(() => inside(c.namespace, `busybox ping -c 1 -W 1 ${d.address}`));
  });

  test('is reached by others on published ports alone, unless its gateway mode is nat-unprotected', async () => {
    const open = await networks.create({ name: 'open', driver: 'bridge', options: { 'com.docker.network.bridge.gateway_mode_ipv4': 'nat-unprotected' } });
    const a = await sandbox('a');
    const b = await sandbox('b', open.id);
    const other = neighbour(kernel, directory);
    try {
      assert.match(inside(other.namespace, `busybox ping -c 1 -W 2 ${b.address}`), /1 packets received/);
      assert.throws(() => inside(other.namespace, `busybox ping -c 1 -W 1 ${a.address}`));
    } finally {
      other.leave();
    }
  });

  test('refuses by name what a network cannot be, and leaves no link of an endpoint that failed', async () => {
    const refused: [Parameters<Networks['create']>[0], RegExp][] = [
      [{ name: 'x', driver: 'bridge', enableIPv6: true }, /IPv6 is not implemented/],
      [{ name: 'x', driver: 'bridge', options: { 'com.docker.network.bridge.inhibit_ipv4': 'true' } }, /inhibit_ipv4 is not implemented/],
      [{ name: 'x', driver: 'bridge', options: { 'com.docker.network.driver.mtu': '12' } }, /driver.mtu takes a number from 68/],
      [{ name: 'x', driver: 'bridge', options: { 'com.docker.network.bridge.enable_icc': 'perhaps' } }, /takes true or false/],
      [{ name: 'x', driver: 'bridge', options: { 'com.docker.network.bridge.name': 'a-name-that-is-too-long' } }, /up to 15/],
      [{ name: 'x', driver: 'bridge', options: { 'com.docker.network.bridge.name': 'lo' } }, /has a link lo already/],
      [{ name: 'x', driver: 'bridge', ipam: { config: [{ subnet: '10.213.8.1/24' }] } }, /should be 10\.213\.8\.0\/24/],
    ];
    for (const [spec, message] of refused) await assert.rejects(networks.create(spec), message);
    await assert.rejects(networks.attach(bridge(), { sandboxId: 'a', namespace: join(directory, 'absent') }));
    assert.deepEqual(networks.list().length, 3);
    const ends = (): string[] => netlink.links().map((l) => l.name).filter((name) => names.isHostEnd(name));
    for (let i = 0; i < 200 && ends().length > 0; i++) await systemClock.sleep(50); // those of sandboxes that went, until the kernel has ended their namespaces
    assert.deepEqual(ends(), []);
  });

  test('two endpoints whose ids begin alike have links of their own', async () => {
    const drawn = [7, 7, 9].map((byte) => Buffer.alloc(32, byte));
    const again = await open({ random: { ...systemRandom, bytes: (count) => drawn.shift() ?? systemRandom.bytes(count) } });
    for (const id of ['alike-a', 'alike-b']) {
      const { namespace } = await sandbox(id);
      await again.detach(bridge(), id);
      await again.attach(bridge(), { sandboxId: id, namespace });
    }
    assert.deepEqual(again.endpoints({}).map((e) => e.hostLink).sort(), ['07', '09'].map((byte) => names.hostEnd(byte.repeat(32))));
    for (const { sandboxId } of again.endpoints({})) await again.detach(bridge(), sandboxId);
    await again.close();
  });

  test('two instances on one host choose other subnets and leave each other alone', async () => {
    const instance = hex(systemRandom, 3);
    const others = await open({ records: createRecords(createMemoryStore()), instance });
    try {
      const subnetOf = (all: Networks) => all.get('bridge')?.ipam.config[0]?.subnet;
      assert.notEqual(subnetOf(others), subnetOf(networks));
    } finally {
      await others.close();
      kernel.nft.run(dropTable(linkNames(instance).table));
      const netlink = kernel.netlinks.open();
      netlink.deleteLink(linkNames(instance).defaultBridge);
      netlink.close();
    }
    const a = await sandbox('a');
    assert.match(inside(a.namespace, `busybox ping -c 1 -W 2 ${networks.get('bridge')?.ipam.config[0]?.gateway}`), /1 packets received/);
  });

  test('another firewall that drops what is forwarded lets this instance through, while it is there', () => {
    const namespace = join(directory, 'other');
    kernel.namespaces.pin('net', namespace);
    try {
      kernel.nft.run('add table ip filter\nadd chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }\n', namespace);
      const empty = JSON.stringify(kernel.nft.list('ip filter', namespace));
      acceptForwarding(kernel.nft, 'gbx', namespace);
      acceptForwarding(kernel.nft, 'gbx', namespace);
      assert.equal(JSON.stringify(kernel.nft.list('ip filter', namespace)).split('"gbx*"').length - 1, 2);
      forgetForwarding(kernel.nft, 'gbx', namespace);
      assert.equal(JSON.stringify(kernel.nft.list('ip filter', namespace)), empty);
    } finally {
      kernel.namespaces.unpin(namespace);
    }
  });

  test('takes the address that is asked for, once', async () => {
    const net = await networks.create({ name: 'fixed', driver: 'bridge', ipam: { config: [{ subnet: '10.213.7.0/24' }] } });
    const namespace = join(directory, 'a');
    kernel.namespaces.pin('net', namespace);
    sandboxes.push('a');
    const endpoint = await networks.attach(net.id, { sandboxId: 'a', namespace, address: '10.213.7.9' });
    assert.equal(endpoint.address, '10.213.7.9');
    assert.equal(endpoint.mac, '02:42:0a:d5:07:09');
    await assert.rejects(networks.attach(net.id, { sandboxId: 'z', namespace, address: '10.213.7.9' }), /Address already in use/);
    await assert.rejects(networks.create({ name: 'clash', driver: 'bridge', ipam: { config: [{ subnet: '10.213.0.0/16' }] } }), /Pool overlaps/);
  });
});

/** Another machine on the host's network: it knows the way to containers, if they may be reached. */
function neighbour(kernel: Kernel, directory: string): { namespace: string; leave(): void } {
  const namespace = join(directory, 'neighbour');
  const link = `gt${hex(systemRandom, 4)}`;
  kernel.namespaces.pin('net', namespace);
  const leave = (): void => {
    const host = kernel.netlinks.open();
    host.deleteLink(link);
    host.close();
    kernel.namespaces.unpin(namespace);
  };
  try {
    const host = kernel.netlinks.open();
    host.createVeth(link, { name: 'eth0', namespace });
    host.addAddress(link, '198.18.99.1/24');
    host.setLink(link, { up: true });
    host.close();
    const there = kernel.netlinks.open(namespace);
    there.addAddress('eth0', '198.18.99.2/24');
    there.setLink('eth0', { up: true });
    there.addRoute({ destination: '0.0.0.0/0', via: '198.18.99.1', link: 'eth0' });
    there.close();
    return { namespace, leave };
  } catch (error) {
    leave();
    throw error;
  }
}

/** An HTTP server inside, as a process of its own. */
function execServer(namespace: string, port: number) {
  const program = `require('node:http').createServer((q, r) => r.end('here')).listen(${port}, () => console.log('up'))`;
  return execFile('nsenter', [`--net=${namespace}`, process.execPath, '-e', program]);
}

/** Asks the name server, which this process runs, so nothing here may wait synchronously. */
function asked(namespace: string, name: string): Promise<string> {
  return new Promise((resolve) => {
    execFile('nsenter', [`--net=${namespace}`, 'busybox', 'nslookup', name, '127.0.0.11'], (_error, stdout) => resolve(stdout));
  });
}

function output(namespace: string, script: string): Promise<string> {
  return new Promise((resolve) => {
    execFile('nsenter', [`--net=${namespace}`, 'sh', '-c', script], (_error, stdout) => resolve(stdout));
  });
}
