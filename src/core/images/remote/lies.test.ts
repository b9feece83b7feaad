/** Each way in which a registry can lie: one line that says so, and nothing of it is kept. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { mediaTypes } from '#api/oci/image.ts';
import { testPlace } from '#core/snapshots/testing.ts';
import type { TestPlace } from '#core/snapshots/testing.ts';
import { VirtualClock } from '#lib/clock-virtual.ts';
import { isFault } from '#lib/errors.ts';
import type { FaultKind } from '#lib/errors.ts';
import { silentLogger } from '#lib/log.ts';
import { systemRandom } from '#lib/random.ts';
import { onLinuxAsRoot } from '#sys/testing.ts';
import { endless, LyingRegistry } from '#test/support/lying-registry.ts';
import { openImages } from '../open.ts';
import type { Images } from '../types.ts';
import { bodyLimits } from './body.ts';
import { checkLed } from './endpoints.ts';

const other = `sha256:${'1'.repeat(64)}` as const;

/** Sets up a lie about `image:1`. */
type Tell = (registry: LyingRegistry) => Promise<unknown>;

/** Lets the paths that match be answered so. */
function answering(what: RegExp, answer: (response: ServerResponse, path: string) => void): Tell {
  return async (registry) => {
    await registry.image('1', { layers: 2 });
    registry.lie = (_request, response, path) => {
      if (!what.test(path)) return false;
      answer(response, path);
      return true;
    };
  };
}

const index = (registry: LyingRegistry, name: string, to: { digest: string; size: number; mediaType: string }): ReturnType<LyingRegistry['serve']> =>
  registry.serve(mediaTypes.ociIndex, { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [{ ...to, platform: { os: 'linux', architecture: 'amd64' } }] }, name);

const lies: readonly [what: string, tell: Tell, kind: FaultKind, says: RegExp][] = [
  ['a layer of another digest', async (r) => {
    const { layers } = await r.image('1', { layers: 3 });
    r.lie = (_q, response, path) => path.endsWith(layers[2]!.digest) && Boolean(response.end(randomBytes(layers[2]!.size)));
  }, 'invalid', /has digest sha256:[0-9a-f]{64}, want sha256:/],
  ['a layer that is longer than was said', async (r) => r.image('1', { manifest: (m) => ({ ...m, layers: m.layers.map((l) => ({ ...l, size: l.size - 1 })) }) }), 'invalid', /is longer than its \d+ bytes/],
  ['a layer that is shorter than was said', async (r) => r.image('1', { manifest: (m) => ({ ...m, layers: m.layers.map((l) => ({ ...l, size: l.size + 1 })) }) }), 'unavailable', /ended after \d+ of \d+ bytes/],
  ['a layer of a size that no disk has', async (r) => r.image('1', { manifest: (m) => ({ ...m, layers: m.layers.map((l) => ({ ...l, size: 2 ** 52 })) }) }), 'too-large', /over the limit of 68719476736/],
  ['a size below nothing', async (r) => r.image('1', { manifest: (m) => ({ ...m, layers: m.layers.map((l) => ({ ...l, size: -1 })) }) }), 'invalid', /its size is no whole number/],
  ['a layer without an end', answering(/blobs/, (response) => endless(response)), 'invalid', /is longer than its \d+ bytes/],
  ['a manifest of another digest than it says', answering(/manifests/, (response) => response.writeHead(200, { 'docker-content-digest': other }).end('{"schemaVersion":2}')), 'invalid', /manifest verification failed for digest sha256:1111/],
  ['a manifest without an end', answering(/manifests/, (response) => endless(response)), 'too-large', /the answer of 127\.0\.0\.1:\d+ is over the limit of 4194304 bytes/],
  ['a compressed manifest that grows without an end', answering(/manifests/, (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(100 << 20)))), 'invalid', /compressed its answer \(gzip\), though it was asked not to/],
  ['an index that points at itself', async (r) => {
    r.lie = (_q, response, path) => /manifests/.test(path) && Boolean(response.writeHead(200, { 'content-type': mediaTypes.ociIndex }).end(JSON.stringify({ schemaVersion: 2, manifests: [{ mediaType: mediaTypes.ociIndex, digest: other, size: 10, platform: { os: 'linux', architecture: 'amd64' } }] })));
    return Promise.resolve();
  }, 'invalid', /manifest verification failed/],
  ['a long chain of indexes', async (r) => {
    let at = (await r.image('inner')).manifest;
    for (let i = 0; i < 5; i++) at = index(r, i === 4 ? '1' : `at${i}`, at);
  }, 'too-large', /indexes are nested more than 3 deep/],
  ['10,000 layers', async (r) => r.image('1', { manifest: (m) => ({ ...m, layers: Array.from({ length: 10_000 }, () => m.layers[0]) }) }), 'too-large', /layers: 10000 entries, over the limit of 127/],
  ['10,000 manifests', async (r) => Promise.resolve(r.serve(mediaTypes.ociIndex, { schemaVersion: 2, manifests: Array.from({ length: 10_000 }, () => ({ mediaType: mediaTypes.ociManifest, digest: other, size: 1 })) }, '1')), 'too-large', /manifests: 10000 entries, over the limit of 1024/],
  ['a config that is not JSON', async (r) => r.image('1', { config: () => Buffer.from('{"architecture"') }), 'invalid', /config sha256:[0-9a-f]{64} is not valid JSON/],
  ['a config that is a list', async (r) => r.image('1', { config: () => [] }), 'invalid', /config sha256:[0-9a-f]{64}: not an object/],
  ['a config without diff_ids', async (r) => r.image('1', { config: (c) => ({ ...c, rootfs: { type: 'layers' } }) }), 'invalid', /has 1 layers, and its config names 0/],
  ['a config with more diff_ids than layers', async (r) => r.image('1', { config: (c) => ({ ...c, rootfs: { type: 'layers', diff_ids: [other, other] } }) }), 'invalid', /has 1 layers, and its config names 2/],
  ['a config with a diff_id that leads elsewhere', async (r) => r.image('1', { config: (c) => ({ ...c, rootfs: { type: 'layers', diff_ids: ['sha256:../../../../etc/passwd'] } }) }), 'invalid', /rootfs.diff_ids holds something that is no digest/],
  ['a config with diff_ids of other content', async (r) => r.image('1', { config: (c) => ({ ...c, rootfs: { type: 'layers', diff_ids: [other] } }) }), 'invalid', /its content has digest sha256:[0-9a-f]{64}, and the image's config says sha256:1111/],
  ['a config whose command is a number', async (r) => r.image('1', { config: (c) => ({ ...c, config: { Cmd: 5 } }) }), 'invalid', /config: Cmd is of the wrong type/],
  ['a digest that leads elsewhere', async (r) => r.image('1', { manifest: (m) => ({ ...m, config: { ...m.config, digest: 'sha256:../../../../etc/passwd' } }) }), 'invalid', /its digest is not of the form sha256/],
  ['a manifest and an index at once', async (r) => r.image('1', { manifest: (m) => ({ ...m, manifests: [] }) }), 'invalid', /it is a manifest and an index at once/],
  ['a layer that is kept elsewhere', async (r) => r.image('1', { manifest: (m) => ({ ...m, layers: m.layers.map((l) => ({ ...l, urls: ['http://169.254.169.254/'] })) }) }), 'not-implemented', /is kept outside of its registry/],
  ['a layer that is no archive', async (r) => {
    const layer = r.serve(mediaTypes.ociLayerGzip, randomBytes(5000));
    return r.image('1', { manifest: (m) => ({ ...m, layers: [layer] }) });
  }, 'invalid', /this is no tar archive, or it is damaged/],
  ['redirects in a circle', answering(/^\/v2\/image\/blobs|^\/round/, (response, path) => response.writeHead(307, { location: path.startsWith('/round') ? `/round/${path.length}` : '/round' }).end()), 'invalid', /redirects more than 5 times/],
  ['a redirect to a file', answering(/blobs/, (response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end()), 'invalid', /leads to file:\/\/, which is not secure/],
  ['a redirect to another scheme', answering(/blobs/, (response) => response.writeHead(302, { location: 'gopher://x:70/_' }).end()), 'invalid', /leads to gopher:/],
  ['a redirect to nowhere', answering(/blobs/, (response) => response.writeHead(302, { location: 'http://[' }).end()), 'invalid', /redirects to "http:\/\/\[", which is no address/],
  ["a redirect to a cloud's metadata", answering(/blobs/, (response) => response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data/' }).end()), 'invalid', /leads to 169\.254\.169\.254, an address of this host alone; it is not followed/],
  ['an error text that draws on the terminal', answering(/manifests/, (response) => response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ errors: [{ code: 'X', message: 'a\u001b[2Jb\nc' }] }))), 'invalid', /^x: a \[2Jb c$/],
  ['an error text without an end', answering(/manifests/, (response) => endless(response.writeHead(400))), 'invalid', /unexpected status from 127\.0\.0\.1:\d+: 400/],
  ['a token realm of another scheme', answering(/manifests/, (response) => response.writeHead(401, { 'www-authenticate': 'Bearer realm="file:///etc/passwd"' }).end()), 'invalid', /leads to file:\/\/, which is not secure/],
  ["a token realm in a cloud's metadata", answering(/manifests/, (response) => response.writeHead(401, { 'www-authenticate': 'Bearer realm="http://169.254.169.254/t"' }).end()), 'invalid', /leads to 169\.254\.169\.254/],
  ['a token that is no text', withToken((response) => response.end('{"token":{"a":1}}')), 'invalid', /answered the request for a token with something else/],
  ['a token that breaks the header', withToken((response) => response.end('{"token":"a\\r\\nx: y"}')), 'invalid', /gave a token that no header can hold/],
  ['a token without an end', withToken((response) => endless(response)), 'too-large', /over the limit of 65536 bytes/],
  ['a token that redirects', withToken((response) => response.writeHead(302, { location: '/token' }).end()), 'unavailable', /Get "http:\/\/127\.0\.0\.1:\d+\/token": /],
  ['a token that does not help', withToken((response) => response.end('{"token":"t"}')), 'unauthenticated', /unauthorized|unexpected status/],
];

function withToken(answer: (response: ServerResponse) => void): Tell {
  return async (registry) => {
    await registry.image('1');
    registry.lie = (_request, response, path) => {
      if (path === '/token') answer(response);
      else response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${registry.host}/token",service="s"` }).end();
      return true;
    };
  };
}

onLinuxAsRoot('a registry that lies', () => {
  describe('a registry that lies', () => {
    let place: TestPlace;
    let registry: LyingRegistry;
    let images: Images;
    let clock: VirtualClock;
    beforeEach(async () => {
      [place, registry] = await Promise.all([testPlace('lies'), LyingRegistry.start()]);
      clock = new VirtualClock();
      clock.sleep = async () => {};
      images = await openImages({ content: place.content, snapshots: place.snapshots, records: place.records, clock, random: systemRandom, log: silentLogger });
    });
    afterEach(async () => {
      await registry.end();
      await place.end();
    });

    const blobs = (): string[] => readdirSync(join(place.root, 'blobs/sha256'));
    for (const [what, tell, kind, says] of lies) {
      it(`${what} is told in one line, and nothing is kept`, async () => {
        await tell(registry);
        await assert.rejects(images.pull(`${registry.host}/image:1`), (error) => {
          assert.ok(isFault(error, kind), String(error));
          assert.match(error.message, says);
          assert.doesNotMatch(error.message, /\p{Cc}/u);
          return true;
        });
        assert.deepEqual(images.list(), []);
        if (kind === 'unavailable') return; // that may be tried again
        assert.deepEqual([blobs(), readdirSync(join(place.root, 'ingests')), place.snapshots.layers(), place.snapshots.active()], [[], [], [], []]);
      });
    }

    it('a server that trickles is given up, in a blob and in a document', async () => {
      await registry.image('1');
      for (const slow of [/blobs/, /manifests/]) {
        let asked = 0;
        registry.lie = (_request, response, path) => {
          if (!slow.test(path)) return false;
          asked++;
          response.write(' ');
          return true;
        };
        let ended = false;
        const pull = assert.rejects(images.pull(`${registry.host}/image:1`), (error) => isFault(error, 'unavailable') && /sends too slowly/.test(error.message)).finally(() => {
          ended = true;
        });
        // the requests go by real time, the waiting by the clock
        while (!ended) await clock.advance(bodyLimits.idleMs / 100);
        await pull;
        assert.equal(asked, 5);
      }
    });

    it('what was true of an image that failed in passing is there for the next attempt', async () => {
      const { layers } = await registry.image('1', { layers: 2 });
      registry.lie = (_request, response, path) => path.endsWith(layers[1]!.digest) && Boolean(response.writeHead(503).end());
      await assert.rejects(images.pull(`${registry.host}/image:1`), (error) => isFault(error, 'unavailable'));
      const asked: string[] = [];
      registry.lie = (_request, _response, path) => void asked.push(path);
      await images.pull(`${registry.host}/image:1`);
      assert.equal(asked.some((path) => path.endsWith(layers[0]!.digest)), false);
    });
  });
});

it('only a registry of this host leads to addresses of this host', () => {
  const leads = (from: string, to: string): boolean => {
    try {
      checkLed(new URL(from), new URL(to));
      return true;
    } catch {
      return false;
    }
  };
  for (const inward of ['http://localhost', 'http://127.1', 'http://0x7f000001', 'http://[::1]', 'http://[::ffff:127.0.0.1]', 'http://0.0.0.0', 'http://169.254.169.254', 'http://[fe80::1]', 'http://[::ffff:169.254.169.254]', 'http://a.localhost.']) {
    assert.equal(leads('https://registry.example', inward), false, inward);
  }
  assert.equal(leads('https://registry.example', 'https://cdn.example'), true);
  assert.equal(leads('http://127.0.0.1:5000', 'http://localhost:5001'), true);
  assert.equal(leads('http://127.0.0.1:5000', 'http://169.254.169.254'), false);
});
