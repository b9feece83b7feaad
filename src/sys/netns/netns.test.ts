import { isFault } from '#lib/errors.ts';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { linuxNetlinks } from '../netlink/linux.ts';
import { onLinuxAsRoot } from '../testing.ts';
import { fakeNamespaces } from './fake.ts';
import { inNamespace, linuxNamespaces } from './linux.ts';
import { namespacesSuite } from './suite.ts';
import { sysctlFile } from './sysctls.ts';

const here = (kind = 'net'): string => readlinkSync(`/proc/thread-self/ns/${kind}`);

namespacesSuite('fake', () => {
  const namespaces = fakeNamespaces();
  return { namespaces, whereAmI: () => namespaces.current() ?? 'host', closeSocket: (fd) => namespaces.closeSocket(fd) };
});
onLinuxAsRoot('namespaces', () => namespacesSuite('linux', () => ({ namespaces: linuxNamespaces(), whereAmI: here, closeSocket: closeSync })));

describe('sysctl names', () => {
  it('go to files, with a dot inside a part where slashes are given', () => {
    assert.equal(sysctlFile('net', 'net.ipv4.ip_forward'), '/proc/sys/net/ipv4/ip_forward');
    assert.equal(sysctlFile('net', 'net/ipv4/conf/eth0.1/forwarding'), '/proc/sys/net/ipv4/conf/eth0.1/forwarding');
    assert.throws(() => sysctlFile('net', 'net/'), (error) => isFault(error, 'invalid'));
  });
});

onLinuxAsRoot('pinned namespaces', () => {
  describe('pinned namespaces on linux', () => {
    const namespaces = linuxNamespaces();
    let top: string;
    beforeEach(() => void (top = mkdtempSync(join(tmpdir(), 'gantry-netns-'))));
    afterEach(() => {
      for (const each of ['a', 'b', 'c']) namespaces.unpin(join(top, each));
      rmSync(top, { recursive: true });
    });

    it('have a host name and parameters of their own', () => {
      const before = [readFileSync('/proc/sys/kernel/hostname', 'utf8'), readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8'), readFileSync('/proc/sys/kernel/shmmax', 'utf8')];
      namespaces.pin('uts', join(top, 'a'), { hostname: 'inside' });
      namespaces.pin('ipc', join(top, 'b'), { sysctls: { 'kernel.shmmax': '65536' } });
      namespaces.pin('net', join(top, 'c'), { sysctls: { 'net.ipv4.ip_forward': before[1]?.startsWith('1') ? '0' : '1' } });
      assert.deepEqual([readFileSync('/proc/sys/kernel/hostname', 'utf8'), readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8'), readFileSync('/proc/sys/kernel/shmmax', 'utf8')], before);
      assert.equal(inNamespace('uts', join(top, 'a'), () => readFileSync('/proc/sys/kernel/hostname', 'utf8')), 'inside\n');
      assert.equal(inNamespace('ipc', join(top, 'b'), () => readFileSync('/proc/sys/kernel/shmmax', 'utf8')), '65536\n');
      assert.notEqual(inNamespace('net', join(top, 'c'), () => readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8')), before[1]);
    });

    it('leave no file and come home when a parameter cannot be set', () => {
      const home = here();
      assert.throws(() => namespaces.pin('net', join(top, 'a'), { sysctls: { 'net.ipv4.no_such': '1' } }), (error) => isFault(error) && error.message.includes('net.ipv4.no_such'));
      assert.equal(existsSync(join(top, 'a')), false);
      assert.equal(here(), home);
    });

    it('let a connection that nobody answers be given up', async () => {
      const path = join(top, 'a');
      namespaces.pin('net', path);
      const net = linuxNetlinks().open(path);
      net.createBridge('br0');
      net.addAddress('br0', '10.9.0.1/24');
      net.setLink('br0', { up: true });
      net.close();
      const stop = new AbortController();
      const waiting = namespaces.connect(path, '10.9.0.2', 80, stop.signal);
      setImmediate(() => stop.abort(new Error('enough')));
      await assert.rejects(waiting, /enough/);
    });

    it('carry a conversation between Node sockets', async () => {
      const path = join(top, 'a');
      namespaces.pin('net', path);
      const { fd, port } = namespaces.listen(path, 'tcp', '::1', 0);
      const server = net.createServer((socket) => socket.pipe(socket)).listen({ fd });
      await once(server, 'listening');
      const client = new net.Socket({ fd: (await namespaces.connect(path, '::1', port)).fd, readable: true, writable: true });
      try {
        client.end('hello');
        let heard = '';
        for await (const chunk of client) heard += String(chunk);
        assert.equal(heard, 'hello');
      } finally {
        client.destroy();
        server.close();
      }
    });
  });
});
