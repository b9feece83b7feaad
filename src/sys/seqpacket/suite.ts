import { deferred } from '#lib/async.ts';
import { isFault } from '#lib/errors.ts';
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { SeqPacket, SeqPackets } from './types.ts';

/** The far side of a connection, in the hands of a test. */
export interface TestPeer {
  send(packet: Uint8Array): void;
  /** The next packet; undefined when the client has shut down its side. */
  receive(): Promise<Buffer | undefined>;
  close(): void;
}

export interface SeqPacketsUnderTest {
  seqpackets: SeqPackets;
  path: string;
  /** The far side of the connection that was just made. */
  accept(): Promise<TestPeer>;
  release(): void;
}

/** What every implementation of `SeqPackets` does. */
export function seqPacketsSuite(name: string, make: () => SeqPacketsUnderTest): void {
  describe(`seqpacket: ${name}`, () => {
    let under: SeqPacketsUnderTest;
    let client: SeqPacket;
    let peer: TestPeer;
    beforeEach(async () => {
      under = make();
      client = await under.seqpackets.connect(under.path);
      peer = await under.accept();
    });
    afterEach(() => {
      client.close();
      peer.close();
      under.release();
    });

    const closed = (): Promise<void> => new Promise((resolve) => client.onClose(resolve));

    it('keeps packets whole and in order, those from before the handler too', async () => {
      const sent = Array.from({ length: 20 }, (_, i) => Buffer.alloc(i * 50 + 1, i));
      for (const packet of sent.slice(0, 10)) peer.send(packet);
      const got: Buffer[] = [];
      client.onPacket((packet) => got.push(packet));
      for (const packet of sent.slice(10)) peer.send(packet);
      peer.close();
      await closed();
      assert.deepEqual(got, sent);
    });

    it('writes packets, and then tells the peer that no more will come', async () => {
      await client.write(Buffer.from('one'));
      await client.write(Buffer.alloc(32 * 1024, 7));
      client.shutdownWrite();
      assert.equal((await peer.receive())?.toString(), 'one');
      assert.equal((await peer.receive())?.length, 32 * 1024);
      assert.equal(await peer.receive(), undefined);
      const heard = deferred<string>();
      client.onPacket((packet) => heard.resolve(packet.toString()));
      peer.send(Buffer.from('still here'));
      assert.equal(await heard.promise, 'still here');
    });

    it('holds packets back while it is paused, the end too', async () => {
      const got: string[] = [];
      const first = deferred<void>();
      client.onPacket((packet) => {
        got.push(packet.toString());
        if (got.length === 1) {
          client.pause();
          first.resolve();
        }
      });
      let over = false;
      const end = closed().then(() => (over = true));
      for (const word of ['a', 'b', 'c']) peer.send(Buffer.from(word));
      peer.close();
      await first.promise;
      await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual([got, over], [['a'], false]);
      client.resume();
      await end;
      assert.deepEqual(got, ['a', 'b', 'c']);
    });

    it('refuses what is too large, and writes after the end', async () => {
      await assert.rejects(client.write(Buffer.alloc(32 * 1024 + 1)), (error) => isFault(error, 'too-large'));
      client.close();
      client.close();
      await closed();
      await assert.rejects(client.write(Buffer.from('x')), (error) => isFault(error, 'unavailable') && error.message.includes(under.path));
    });

    it('names the path that nobody listens at', async () => {
      await assert.rejects(under.seqpackets.connect(`${under.path}-none`), (error) => isFault(error, 'not-found') && error.message.includes('-none'));
    });
  });
}
