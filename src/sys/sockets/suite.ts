import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SocketEnd, Sockets } from './types.ts';

export interface SocketsUnderTest {
  sockets: Sockets;
  /** A network namespace beside this process's. */
  path: string;
  /** A connection in that namespace. */
  connect(): Promise<{ local: SocketEnd; remote: SocketEnd; connected(): Promise<boolean> }>;
  release(): void;
}

/** What every implementation of `Sockets` does. */
export function socketsSuite(name: string, make: () => SocketsUnderTest): void {
  describe(`sockets: ${name}`, () => {
    it('breaks just the connection that is named, in its namespace', async () => {
      const under = make();
      try {
        const [one, other] = [await under.connect(), await under.connect()];
        assert.equal(under.sockets.break(one.local, one.remote), false, 'it is not in this namespace');
        assert.equal(under.sockets.break(one.local, { ...one.remote, port: 1 }, under.path), false);
        assert.equal(await one.connected(), true);
        assert.equal(under.sockets.break(one.local, one.remote, under.path), true);
        assert.equal(await one.connected(), false);
        assert.equal(await other.connected(), true);
        assert.equal(under.sockets.break(one.local, one.remote, under.path), false);
      } finally {
        under.release();
      }
    });
  });
}
