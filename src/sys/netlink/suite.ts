import { isFault } from '#lib/errors.ts';
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Netlink, Netlinks } from './types.ts';

export interface NetlinksUnderTest {
  netlinks: Netlinks;
  /** Two empty network namespaces. */
  a: string;
  b: string;
  release: () => void;
}

/** What every implementation of `Netlinks` does. */
export function netlinksSuite(name: string, make: () => NetlinksUnderTest): void {
  describe(`netlink: ${name}`, () => {
    let under: NetlinksUnderTest;
    let net: Netlink;
    const open: Netlink[] = [];

    beforeEach(() => {
      under = make();
      open.push((net = under.netlinks.open(under.a)));
    });
    afterEach(() => {
      for (const handle of open.splice(0)) handle.close();
      under.release();
    });
    const peerSide = (): Netlink => {
      const handle = under.netlinks.open(under.b);
      open.push(handle);
      return handle;
    };

    it('starts with the loopback alone, which is up', () => {
      assert.deepEqual(net.links().map((link) => [link.name, link.up]), [['lo', true]]);
      assert.equal(net.link('absent'), undefined);
      assert.equal(net.link(12345), undefined);
    });

    it('joins two namespaces with a veth pair on a bridge', () => {
      net.createBridge('br0', { mtu: 1400, mac: '02:42:00:00:00:01' });
      net.createVeth('veth0', { name: 'eth0', namespace: under.b, mac: '02:42:0a:00:00:02' }, { mtu: 1400 });
      net.setLink('veth0', { master: 'br0', up: true, hairpin: true });
      net.setLink('br0', { up: true });
      const bridge = net.link('br0');
      const near = net.link('veth0');
      const far = peerSide().link('eth0');
      assert.equal(net.link(near?.index ?? 0)?.name, 'veth0');
      assert.deepEqual([bridge?.kind, bridge?.mtu, bridge?.mac, bridge?.up], ['bridge', 1400, '02:42:00:00:00:01', true]);
      assert.deepEqual([near?.kind, near?.master, near?.up, near?.peerIndex], ['veth', bridge?.index, true, far?.index]);
      assert.deepEqual([far?.mac, far?.mtu, far?.up], ['02:42:0a:00:00:02', 1400, false]);
      net.setLink('veth0', { master: null });
      assert.equal(net.link('veth0')?.master, undefined);
      net.deleteLink('veth0');
      assert.equal(peerSide().link('eth0'), undefined);
      net.deleteLink('veth0');
    });

    it('refuses a name that is taken, wrong or unknown', () => {
      net.createBridge('d0');
      assert.throws(() => net.createDummy('d0'), (error) => isFault(error, 'already-exists') && error.message.includes('d0'));
      assert.throws(() => net.createDummy('a-name-of-16-byte'), (error) => isFault(error, 'invalid'));
      assert.throws(() => net.createDummy('a/b'), (error) => isFault(error, 'invalid'));
      assert.throws(() => net.setLink('d1', { up: true }), (error) => isFault(error, 'not-found') && error.message.includes('d1'));
    });

    it('changes a link: size, address, name', () => {
      net.createBridge('d0');
      net.setLink('d0', { mtu: 1300, mac: '02:00:00:00:00:05', rename: 'd1' });
      const link = net.link('d1');
      assert.deepEqual([link?.mtu, link?.mac, link?.kind, net.link('d0')], [1300, '02:00:00:00:00:05', 'bridge', undefined]);
    });

    it('gives and takes addresses, twice without harm', () => {
      net.createBridge('d0');
      for (const address of ['10.1.0.1/24', '10.1.0.1/24', 'fd00::1/64']) net.addAddress('d0', address);
      const mine = () => net.addresses().filter((each) => each.link === net.link('d0')?.index && each.scope === 'global');
      assert.deepEqual(mine().map((each) => `${each.address} ${each.family}`).sort(), ['10.1.0.1/24 4', 'fd00::1/64 6']);
      net.deleteAddress('d0', '10.1.0.1/24');
      net.deleteAddress('d0', '10.1.0.1/24');
      assert.deepEqual(mine().map((each) => each.address), ['fd00::1/64']);
      assert.throws(() => net.addAddress('d0', '10.1.0/24'), (error) => isFault(error, 'invalid'));
    });

    it('adds, replaces and deletes routes', () => {
      net.createBridge('d0');
      net.addAddress('d0', '10.1.0.2/24');
      net.setLink('d0', { up: true });
      const index = net.link('d0')?.index;
      const find = (destination: string) => net.routes().filter((route) => route.destination === destination);
      assert.equal(find('10.1.0.0/24')[0]?.link, index);
      net.addRoute({ destination: '0.0.0.0/0', via: '10.1.0.1' });
      net.addRoute({ destination: '0.0.0.0/0', via: '10.1.0.9' });
      assert.deepEqual(find('0.0.0.0/0').map((route) => route.via), ['10.1.0.9']);
      net.addRoute({ destination: '10.9.0.7/16', via: '172.31.0.1', link: 'd0', onlink: true, source: '10.1.0.2' });
      assert.deepEqual(find('10.9.0.0/16').map(({ via, link, source }) => ({ via, link, source })), [{ via: '172.31.0.1', link: index, source: '10.1.0.2' }]);
      assert.throws(() => net.addRoute({ destination: '10.8.0.0/16', via: '192.0.2.1' }), (error) => isFault(error));
      net.deleteRoute('0.0.0.0/0');
      net.deleteRoute('0.0.0.0/0');
      assert.deepEqual(find('0.0.0.0/0'), []);
    });

    it('makes a vxlan link and tells it who is where', () => {
      net.createBridge('d0');
      net.addAddress('d0', '10.1.0.2/24');
      net.setLink('d0', { up: true });
      net.createVxlan('vx0', { id: 42, local: '10.1.0.2', port: 8472, device: 'd0', mtu: 1450 });
      net.setLink('vx0', { up: true });
      assert.deepEqual([net.link('vx0')?.kind, net.link('vx0')?.mtu], ['vxlan', 1450]);
      const everyone = '00:00:00:00:00:00';
      for (const machine of ['10.1.0.3', '10.1.0.4', '10.1.0.4']) net.addNeighbour('vx0', { mac: everyone, forwardTo: machine });
      net.addNeighbour('vx0', { mac: '02:00:00:00:00:09', address: '10.5.0.1', forwardTo: '10.1.0.3' });
      net.addNeighbour('vx0', { mac: '02:00:00:00:00:09', address: '10.5.0.1', forwardTo: '10.1.0.4' });
      net.deleteNeighbour('vx0', { mac: everyone, forwardTo: '10.1.0.3' });
      net.deleteNeighbour('vx0', { mac: everyone, forwardTo: '10.1.0.3' });
      net.deleteNeighbour('vx0', { mac: '02:00:00:00:00:09', address: '10.5.0.1', forwardTo: '10.1.0.4' });
    });
  });
}
