import { isFault } from '#lib/errors.ts';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { addressBytes, addressText, networkOf, parsePrefix } from '../ip.ts';
import { linuxNamespaces } from '../netns/linux.ts';
import { onLinuxAsRoot } from '../testing.ts';
import { attribute, decodeAttributes, decodeMessages, encodeMessage, u32, zString } from './codec.ts';
import { fakeNetlinks } from './fake.ts';
import { linuxNetlinks } from './linux.ts';
import { routeMessage } from './route-codec.ts';
import type { NetlinksUnderTest } from './suite.ts';
import { netlinksSuite } from './suite.ts';

netlinksSuite('fake', () => ({ netlinks: fakeNetlinks(), a: '/a', b: '/b', release: () => {} }));
onLinuxAsRoot('netlink', () => netlinksSuite('linux', twoNamespaces));

function twoNamespaces(): NetlinksUnderTest {
  const namespaces = linuxNamespaces();
  const top = mkdtempSync(join(tmpdir(), 'gantry-netlink-'));
  const [a, b] = [join(top, 'a'), join(top, 'b')];
  for (const path of [a, b]) namespaces.pin('net', path);
  const release = (): void => {
    for (const path of [a, b]) namespaces.unpin(path);
    rmSync(top, { recursive: true });
  };
  return { netlinks: linuxNetlinks(), a, b, release };
}

describe('netlink messages', () => {
  it('are padded to four bytes and read back', () => {
    const payload = Buffer.concat([attribute(3, zString('eth0')), attribute(18, [attribute(1, Buffer.from('veth'))]), attribute(4, u32(1500))]);
    const bytes = encodeMessage({ type: 16, flags: 5, sequence: 7, payload });
    assert.equal(bytes.length % 4, 0);
    const [first, second] = decodeMessages(Buffer.concat([bytes, bytes]));
    assert.deepEqual(first, second);
    const attributes = decodeAttributes(first?.payload ?? Buffer.alloc(0));
    assert.equal(attributes.get(3)?.toString(), 'eth0\0');
    assert.equal(decodeAttributes(attributes.get(18) ?? Buffer.alloc(0)).get(1)?.toString(), 'veth');
    assert.equal(attributes.get(4)?.readUInt32LE(0), 1500);
  });

  it('that are cut short or lie about their length end the reading', () => {
    const bytes = encodeMessage({ type: 16, flags: 0, sequence: 1, payload: Buffer.alloc(8) });
    assert.deepEqual(decodeMessages(bytes.subarray(0, 20)), []);
    assert.equal(decodeAttributes(Buffer.from([2, 0, 1, 0, 0, 0, 0, 0])).size, 0);
  });

  it('refuse a route that mixes families', () => {
    assert.throws(() => routeMessage({ destination: '10.0.0.0/8', via: 'fd00::1' }), (error) => isFault(error, 'invalid'));
  });
});

describe('addresses', () => {
  it('go from text to bytes and back in their shortest form', () => {
    const forms = { '10.0.0.1': '10.0.0.1', '::': '::', '::1': '::1', 'fd00:0:0:1::': 'fd00:0:0:1::', '2001:db8:0:0:1:0:0:1': '2001:db8::1:0:0:1', '::ffff:1.2.3.4': '::ffff:102:304', '1:2:3:4:5:6:7:8': '1:2:3:4:5:6:7:8' };
    for (const [text, shortest] of Object.entries(forms)) assert.equal(addressText(addressBytes(text)), shortest);
  });

  it('are cut to their network', () => {
    assert.equal(addressText(networkOf(parsePrefix('10.1.255.7/20'))), '10.1.240.0');
    assert.equal(addressText(networkOf(parsePrefix('fd00:1:2:ffff::1/49'))), 'fd00:1:2:8000::');
    for (const wrong of ['10.0.0.1/33', '10.0.0.1/', 'fe80::1%eth0', '::1/129', '10.0.0.1/-1']) assert.throws(() => parsePrefix(wrong), (error) => isFault(error, 'invalid'), wrong);
  });
});

onLinuxAsRoot('a veth pair', () => {
  it('carries traffic between two namespaces', async () => {
    const { netlinks, a, b, release } = twoNamespaces();
    const sides = [netlinks.open(a), netlinks.open(b)] as const;
    const namespaces = linuxNamespaces();
    let server: net.Server | undefined;
    try {
      sides[0].createVeth('v0', { name: 'v1', namespace: b });
      sides.forEach((side, i) => {
        side.addAddress(`v${i}`, `10.200.0.${i + 1}/24`);
        side.setLink(`v${i}`, { up: true });
      });
      const { fd, port } = namespaces.listen(b, 'tcp', '10.200.0.2', 0);
      server = net.createServer((socket) => socket.end('across')).listen({ fd });
      const client = new net.Socket({ fd: (await namespaces.connect(a, '10.200.0.2', port)).fd });
      const [data] = (await once(client, 'data')) as [Buffer];
      assert.equal(data.toString(), 'across');
      client.destroy();
    } finally {
      server?.close();
      for (const side of sides) side.close();
      release();
    }
  });

  it('is refused in words that name the links', () => {
    const { netlinks, a, release } = twoNamespaces();
    const side = netlinks.open(a);
    try {
      assert.throws(() => side.createVeth('v0', { name: 'v1', namespace: `${a}-none` }), (error) => isFault(error, 'not-found') && error.message.includes('v0'));
      side.createBridge('d0');
      assert.throws(() => side.setLink('d0', { mtu: 10_000_000_00 }), (error) => isFault(error) && error.message.includes('d0'));
    } finally {
      side.close();
      release();
    }
  });
});
