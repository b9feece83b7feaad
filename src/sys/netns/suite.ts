import { isFault } from '#lib/errors.ts';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { NetNamespaces } from './types.ts';

export interface NamespacesUnderTest {
  namespaces: NetNamespaces;
  /** The identity of the network namespace that the caller is in. */
  whereAmI: () => string;
  closeSocket: (fd: number) => void;
}

/** What every implementation of `NetNamespaces` does. */
export function namespacesSuite(name: string, make: () => NamespacesUnderTest): void {
  describe(`namespaces: ${name}`, () => {
    let under: NamespacesUnderTest;
    let namespaces: NetNamespaces;
    let top: string;
    let sockets: number[];

    beforeEach(() => {
      under = make();
      namespaces = under.namespaces;
      sockets = [];
      top = mkdtempSync(join(tmpdir(), 'gantry-netns-'));
    });
    afterEach(() => {
      for (const fd of sockets) under.closeSocket(fd);
      for (const each of ['a', 'b']) namespaces.unpin(join(top, each));
      rmSync(top, { recursive: true, force: true });
    });

    const pinned = (each: 'a' | 'b'): string => {
      const path = join(top, each);
      namespaces.pin('net', path);
      return path;
    };
    const listen = (path: string | undefined, protocol: 'tcp' | 'udp', port: number): number => {
      const socket = namespaces.listen(path, protocol, '127.0.0.1', port);
      sockets.push(socket.fd);
      return socket.port;
    };

    it('pins each kind until it is let go', async () => {
      for (const kind of ['net', 'ipc', 'uts'] as const) {
        const path = join(top, 'a');
        assert.equal(namespaces.isPinned(path), false);
        namespaces.pin(kind, path, kind === 'uts' ? { hostname: 'box' } : {});
        assert.equal(namespaces.isPinned(path), true);
        assert.throws(() => namespaces.pin(kind, path), (error) => isFault(error, 'already-exists'));
        assert.equal(namespaces.isPinned(path), true);
        namespaces.unpin(path);
        assert.equal(namespaces.isPinned(path), false);
        namespaces.unpin(path);
        namespaces.pin(kind, path);
        await namespaces.unpinAside(path);
        assert.equal(namespaces.isPinned(path), false);
        await namespaces.unpinAside(path);
      }
    });

    it('runs inside a namespace and comes back, also after a failure', () => {
      const home = under.whereAmI();
      const a = pinned('a');
      const b = pinned('b');
      const seen = namespaces.within(a, () => [under.whereAmI(), namespaces.within(b, under.whereAmI), under.whereAmI()]);
      assert.equal(seen[0], seen[2]);
      assert.equal(new Set([home, ...seen]).size, 3);
      assert.throws(() => namespaces.within(a, () => assert.fail('inside')), /inside/);
      assert.equal(under.whereAmI(), home);
      assert.throws(() => namespaces.within(join(top, 'none'), () => 1), (error) => isFault(error, 'not-found'));
    });

    it('keeps the ports of namespaces apart', () => {
      const a = pinned('a');
      const b = pinned('b');
      assert.equal(listen(a, 'tcp', 8080), 8080);
      assert.equal(listen(b, 'tcp', 8080), 8080);
      assert.equal(listen(a, 'udp', 8080), 8080);
      assert.ok(listen(a, 'tcp', 0) > 0);
      assert.throws(() => listen(a, 'tcp', 8080), (error) => isFault(error, 'conflict') && /127\.0\.0\.1:8080/.test(error.message));
    });

    it('connects inside the namespace alone', async () => {
      const a = pinned('a');
      const b = pinned('b');
      listen(a, 'tcp', 8080);
      const { fd } = await namespaces.connect(a, '127.0.0.1', 8080);
      sockets.push(fd);
      await assert.rejects(namespaces.connect(b, '127.0.0.1', 8080), (error) => isFault(error, 'unavailable'));
      await assert.rejects(namespaces.connect(a, '127.0.0.1', 8080, AbortSignal.abort(new Error('enough'))), /enough/);
    });

    it('knocks, and tells who answers', async () => {
      const a = pinned('a');
      listen(a, 'tcp', 8080);
      const states: string[] = [];
      for (const port of [8080, 8081]) {
        const knock = namespaces.within(a, () => namespaces.knock('127.0.0.1', port));
        for (let i = 0; i < 100 && knock.state() === 'waiting'; i++) await sleep(10);
        states.push(knock.state(), knock.state());
        knock.close();
      }
      assert.deepEqual(states, ['open', 'open', 'refused', 'refused']);
    });

    it('refuses kernel parameters that would change the host', () => {
      for (const [kind, name] of [['net', 'kernel.panic'], ['ipc', 'net.ipv4.ip_forward'], ['net', 'net/../kernel/panic'], ['uts', 'kernel.shmmax']] as const) {
        assert.throws(() => namespaces.pin(kind, join(top, 'a'), { sysctls: { [name]: '1' } }), (error) => isFault(error, 'invalid') && error.message.includes(name));
        assert.equal(namespaces.isPinned(join(top, 'a')), false);
      }
    });

    it('refuses an address that is none', () => {
      assert.throws(() => namespaces.listen(undefined, 'tcp', 'localhost', 1), (error) => isFault(error, 'invalid'));
    });
  });
}
