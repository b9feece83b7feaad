import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Conntrack, LedConnection } from './types.ts';

export interface ConntrackUnderTest {
  conntrack: Conntrack;
  /** Two network namespaces; what is sent in `a` to 10.9.0.5:53 is led to 10.9.0.1:5353, where nobody answers. */
  a: string;
  b: string;
  /** Sends a datagram there from a port of its own in `a`; that port. */
  send(): Promise<number>;
  release(): void;
}

/** What every implementation of `Conntrack` does. */
export function conntrackSuite(name: string, make: () => ConntrackUnderTest): void {
  describe(`conntrack: ${name}`, () => {
    let under: ConntrackUnderTest;
    beforeEach(() => {
      under = make();
    });
    afterEach(() => under.release());

    const seen = (path: string): LedConnection[] => {
      const all: LedConnection[] = [];
      under.conntrack.forget((connection) => {
        all.push(connection);
        return false;
      }, path);
      return all;
    };

    it('knows where a connection was led, and forgets those that are picked, in one namespace', async () => {
      const ports = [await under.send(), await under.send()];
      const found = seen(under.a).sort((x, y) => ports.indexOf(x.source.port) - ports.indexOf(y.source.port));
      assert.deepEqual(found.map(({ protocol, source, destination, backend, phase }) => ({ protocol, port: source.port, destination, backend, phase })), ports.map((port) => (
        { protocol: 'udp', port, destination: { address: '10.9.0.5', port: 53 }, backend: { address: '10.9.0.1', port: 5353 }, phase: 'new' })));
      assert.deepEqual(seen(under.b), []);
      assert.equal(under.conntrack.forget(({ source }) => source.port === ports[0], under.b), 0);
      assert.equal(under.conntrack.forget(({ source }) => source.port === ports[0], under.a), 1);
      assert.deepEqual(seen(under.a).map(({ source }) => source.port), [ports[1]]);
    });
  });
}
