import { deferred } from '#lib/async.ts';
import assert from 'node:assert/strict';
import { closeSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { EPOLLIN, EPOLLOUT } from '../epoll/events.ts';
import { sharedPoller } from '../epoll/poller.ts';
import { check, libc } from '../libc.ts';
import { AF_UNIX, encodeUnix, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_SEQPACKET } from '../sockaddr.ts';
import type { FakePeer } from './fake.ts';
import { fakeSeqPackets } from './fake.ts';
import { linuxSeqPackets } from './linux.ts';
import type { SeqPacketsUnderTest, TestPeer } from './suite.ts';
import { seqPacketsSuite } from './suite.ts';

function fakeUnderTest(): SeqPacketsUnderTest {
  const seqpackets = fakeSeqPackets();
  const accepted = deferred<TestPeer>();
  const stop = seqpackets.listen('/socket', (peer) => accepted.resolve(testPeer(peer)));
  return { seqpackets, path: '/socket', accept: () => accepted.promise, release: stop };
}

function testPeer(peer: FakePeer): TestPeer {
  const queue: (Buffer | undefined)[] = [];
  const waiting: ((packet: Buffer | undefined) => void)[] = [];
  const take = (packet: Buffer | undefined): void => {
    const next = waiting.shift();
    if (next) next(packet);
    else queue.push(packet);
  };
  peer.onPacket(take);
  peer.onEnd(() => take(undefined));
  const receive = (): Promise<Buffer | undefined> => (queue.length > 0 ? Promise.resolve(queue.shift()) : new Promise((resolve) => waiting.push(resolve)));
  return { send: (packet) => peer.send(packet), receive, close: () => peer.close() };
}

interface LinuxUnderTest extends SeqPacketsUnderTest {
  accept(): Promise<LinuxPeer>;
}

function linuxUnderTest(subdirectory = ''): LinuxUnderTest {
  const top = mkdtempSync(join(tmpdir(), 'gantry-seqpacket-'));
  const directory = join(top, subdirectory);
  mkdirSync(directory, { recursive: true });
  const listener = check(libc().socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), 'socket');
  const home = process.cwd();
  process.chdir(directory);
  const address = encodeUnix('s');
  check(libc().bind(listener, address, address.length), 'bind');
  process.chdir(home);
  check(libc().listen(listener, 4), 'listen');
  return {
    seqpackets: linuxSeqPackets(),
    path: join(directory, 's'),
    accept: async () => new LinuxPeer(check(libc().accept4(listener, null, null, SOCK_CLOEXEC | SOCK_NONBLOCK), 'accept')),
    release: () => {
      closeSync(listener);
      rmSync(top, { recursive: true });
    },
  };
}

class LinuxPeer implements TestPeer {
  fd: number;
  constructor(fd: number) {
    this.fd = fd;
  }
  send(packet: Uint8Array): void {
    check(libc().send(this.fd, packet, packet.length, 0x4000), 'send');
  }
  /** Whether there was room. */
  trySend(packet: Uint8Array): boolean {
    return libc().send(this.fd, packet, packet.length, 0x4000) >= 0;
  }
  async sendWaiting(packet: Uint8Array): Promise<void> {
    while (!this.trySend(packet)) await sharedPoller().ready(this.fd, EPOLLOUT);
  }
  async receive(): Promise<Buffer | undefined> {
    const buffer = Buffer.alloc(64 * 1024);
    await sharedPoller().ready(this.fd, EPOLLIN);
    const length = check(libc().recv(this.fd, buffer, buffer.length, 0), 'recv');
    return length === 0 ? undefined : buffer.subarray(0, length);
  }
  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }
}

seqPacketsSuite('fake', fakeUnderTest);
if (process.platform === 'linux') seqPacketsSuite('linux', linuxUnderTest);

describe('seqpackets on linux', { skip: process.platform === 'linux' ? false : 'the host is not Linux' }, () => {
  it('reach a socket whose path is longer than an address holds', async () => {
    const under = linuxUnderTest('d'.repeat(150));
    assert.ok(under.path.length > 150);
    const client = await under.seqpackets.connect(under.path);
    const peer = await under.accept();
    await client.write(Buffer.from('far'));
    assert.equal((await peer.receive())?.toString(), 'far');
    client.close();
    peer.close();
    under.release();
  });

  it('let the sender wait while nobody reads, and lose nothing', async () => {
    const under = linuxUnderTest();
    const client = await under.seqpackets.connect(under.path);
    const peer = await under.accept();
    client.pause();
    let sent = 0;
    const packet = (n: number): Buffer => Buffer.from(`${n} ${'x'.repeat(4000)}`);
    while (peer.trySend(packet(sent))) sent++;
    assert.ok(sent > 5 && sent < 5000, `the kernel took ${sent} packets and then no more`);
    const got: number[] = [];
    client.onPacket((data) => {
      assert.equal(data.length, packet(got.length).length);
      got.push(Number.parseInt(data.toString(), 10));
    });
    client.resume();
    for (const end = sent + 2000; sent < end; sent++) await peer.sendWaiting(packet(sent));
    peer.close();
    await new Promise<void>((resolve) => client.onClose(resolve));
    assert.deepEqual(got, Array.from({ length: sent }, (_, i) => i));
    under.release();
  });

  it('keep the order of writes that wait for a slow reader', async () => {
    const under = linuxUnderTest();
    const client = await under.seqpackets.connect(under.path);
    const peer = await under.accept();
    const packets = Array.from({ length: 100 }, (_, i) => Buffer.alloc(8000, i));
    const scratch = Buffer.from(packets[99] ?? '');
    const writes = [...packets.slice(0, 99), scratch].map((packet) => client.write(packet));
    scratch.fill(0);
    for (const packet of packets) assert.deepEqual(await peer.receive(), packet);
    await Promise.all(writes);
    const stuck = Array.from({ length: 100 }, () => client.write(packets[0] ?? Buffer.alloc(0)));
    client.close();
    const results = await Promise.allSettled(stuck);
    assert.ok(results.some((result) => result.status === 'rejected'), 'writes that wait are told of the end');
    peer.close();
    under.release();
  });
});
