import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { mediaTypes } from '#api/oci/image.ts';
import type { ImageConfig } from '#api/oci/image.ts';
import { VirtualClock } from '#lib/clock-virtual.ts';
import { isFault } from '#lib/errors.ts';
import { createHttpTransport } from '#lib/http-client.ts';
import { silentLogger } from '#lib/log.ts';
import { systemRandom } from '#lib/random.ts';
import { file, putLayer, sha256, testPlace } from '#core/snapshots/testing.ts';
import type { TestPlace } from '#core/snapshots/testing.ts';
import type { Descriptor } from '#core/content/types.ts';
import { onLinuxAsRoot } from '#sys/testing.ts';
import { openImages } from '../open.ts';
import type { Images, RegistryAuth } from '../types.ts';
import { parseChallenge } from './auth.ts';
import { RegistryClient } from './client.ts';
import type { RegistryOptions } from './client.ts';

type Handler = (request: IncomingMessage, response: ServerResponse, url: URL) => boolean | void;

onLinuxAsRoot('the registry protocol', () => {
  describe('the registry protocol', () => {
    let place: TestPlace;
    let server: ReturnType<typeof createServer>;
    let host: string;
    const requests: string[] = [];
    /** What the server has, by path below `/v2/`; a handler may answer first. */
    const served = new Map<string, { type: string; data: Buffer }>();
    let handler: Handler;

    beforeEach(async () => {
      place = await testPlace('protocol');
      requests.length = 0;
      served.clear();
      handler = () => false;
      server = createServer((request, response) => {
        const url = new URL(request.url!, 'http://x');
        requests.push(`${request.method} ${url.pathname}`);
        if (handler(request, response, url)) return;
        const found = served.get(url.pathname.replace(/^\/v2\//, ''));
        if (!found) {
          response.writeHead(404, { 'content-type': 'application/json' }).end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
          return;
        }
        response.writeHead(200, { 'content-type': found.type, 'content-length': found.data.length }).end(found.data);
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      host = `127.0.0.1:${(server.address() as { port: number }).port}`;
    });
    afterEach(async () => {
      server.closeAllConnections();
      server.close();
      await place.end();
    });

    const open = (registry: RegistryOptions = {}): Promise<Images> => {
      const clock = new VirtualClock();
      // Waiting costs no time here: every back-off ends at once.
      clock.sleep = async () => {};
      return openImages({ content: place.content, snapshots: place.snapshots, records: place.records, clock, random: systemRandom, log: silentLogger, registry });
    };
    const serve = (repository: string, target: string, type: string, value: unknown): Descriptor => {
      const data = Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value));
      const kind = type.includes('manifest') || type.includes('index') ? 'manifests' : 'blobs';
      const digest = sha256(data);
      for (const name of [digest, target]) served.set(`${repository}/${kind}/${name}`, { type, data });
      return { mediaType: type, digest, size: data.length };
    };
    /** An image of one layer of random bytes; its manifest is served under `target`. */
    const image = async (repository: string, target: string, architecture = 'amd64'): Promise<{ manifest: Descriptor; layer: Descriptor }> => {
      const { descriptor, diffId } = await putLayer(place.content, [{ ...file('data', ''), entry: { ...file('data', '').entry, size: 300_000 }, body: randomBytes(300_000) }]);
      const layer = serve(repository, 'layer', mediaTypes.ociLayerGzip, await place.content.read(descriptor.digest));
      await place.content.delete(descriptor.digest);
      const config: ImageConfig = { architecture, os: 'linux', rootfs: { type: 'layers', diff_ids: [diffId] } };
      const manifest = serve(repository, target, mediaTypes.ociManifest, { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: serve(repository, 'config', mediaTypes.ociConfig, config), layers: [layer] });
      return { manifest, layer };
    };

    it('of an index, nested too, the manifest for the platform is pulled; the digest is the index\'', async () => {
      const arm = await image('multi', 'arm', 'arm64');
      const amd = await image('multi', 'amd');
      const inner = serve('multi', 'inner', mediaTypes.ociIndex, { schemaVersion: 2, manifests: [{ ...amd.manifest, platform: { os: 'linux', architecture: 'amd64' } }] });
      const index = serve('multi', '1', mediaTypes.dockerManifestList, {
        schemaVersion: 2,
        mediaType: mediaTypes.dockerManifestList,
        manifests: [{ ...arm.manifest, platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } }, { ...inner, platform: { os: 'linux', architecture: 'amd64' } }],
      });
      const images = await open();
      const amd64 = await images.pull(`${host}/multi:1`, { platform: { os: 'linux', architecture: 'amd64' } });
      assert.equal(amd64.digest, index.digest);
      assert.equal(amd64.image.manifest.digest, amd.manifest.digest);
      assert.equal((await images.pull(`${host}/multi:1`, { platform: { os: 'linux', architecture: 'arm64' } })).image.config.architecture, 'arm64');
      await assert.rejects(images.pull(`${host}/multi:1`, { platform: { os: 'linux', architecture: 's390x' } }), (e) => isFault(e, 'not-found') && /no matching manifest for linux\/s390x/.test(e.message));
      assert.deepEqual((await images.resolveRemote(`${host}/multi:1`)).platforms.map((p) => p.architecture), ['arm64', 'amd64']);
    });

    it('a token is fetched from the realm with the scope, and refused credentials say so', async () => {
      await image('private/app', '1');
      const asked: { query: string; authorization?: string }[] = [];
      handler = (request, response, url) => {
        if (url.pathname === '/token') {
          asked.push({ query: decodeURIComponent(url.search), authorization: request.headers.authorization });
          const isKnown = request.headers.authorization === `Basic ${Buffer.from('me:secret').toString('base64')}`;
          response.writeHead(isKnown ? 200 : 401).end(isKnown ? '{"token":"t0k","expires_in":300}' : '{}');
          return true;
        }
        if (request.headers.authorization === 'Bearer t0k') return false;
        response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${host}/token",service="reg",scope="repository:private/app:pull"` }).end();
        return true;
      };
      const images = await open();
      const auth: RegistryAuth = { username: 'me', password: 'secret' };
      await images.pull(`${host}/private/app:1`, { auth });
      assert.equal(asked.length, 1, 'one token serves the whole pull');
      assert.match(asked[0]!.query, /service=reg&scope=repository:private\/app:pull&account=me/);
      await assert.rejects(images.pull(`${host}/private/app:1`), (e) => isFault(e, 'unauthenticated'));
      await images.pull(`${host}/private/app:1`, { auth: { registryToken: 't0k' } });
      handler = (_request, response) => {
        response.writeHead(403, { 'content-type': 'application/json' }).end('{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}');
        return true;
      };
      await assert.rejects(images.pull(`${host}/private/app:1`), (e) => isFault(e, 'not-found') && e.message === `pull access denied for ${host}/private/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`);
    });

    it('a broken download goes on where it stopped', async () => {
      const { layer } = await image('flaky', '1');
      const ranges: (string | undefined)[] = [];
      handler = (request, response, url) => {
        if (url.pathname !== `/v2/flaky/blobs/${layer.digest}`) return false;
        ranges.push(request.headers.range);
        const { data } = served.get(`flaky/blobs/${layer.digest}`)!;
        const start = Number(/bytes=([0-9]+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
        const rest = data.subarray(start);
        response.writeHead(start > 0 ? 206 : 200, { 'content-length': rest.length, ...(start > 0 ? { 'content-range': `bytes ${start}-${data.length - 1}/${data.length}` } : {}) });
        if (ranges.length < 3) response.write(rest.subarray(0, 100_000), () => setImmediate(() => response.destroy()));
        else response.end(rest);
        return true;
      };
      const images = await open();
      assert.equal((await images.pull(`${host}/flaky:1`)).updated, true);
      assert.equal(ranges.length, 3);
      assert.ok(ranges.slice(1).some((range) => range !== undefined && range !== 'bytes=0-'), String(ranges));
    });

    it('a layer that fails before its turn ends the pull, and what was downloaded stays for the next', async () => {
      const parts = await Promise.all(['a', 'b', 'c'].map((name) => putLayer(place.content, [{ ...file(name, ''), entry: { ...file(name, '').entry, size: 50_000 }, body: randomBytes(50_000) }])));
      const layers: Descriptor[] = [];
      for (const { descriptor } of parts) {
        layers.push(serve('three', descriptor.digest, mediaTypes.ociLayerGzip, await place.content.read(descriptor.digest)));
        await place.content.delete(descriptor.digest);
      }
      const config: ImageConfig = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: parts.map((part) => part.diffId) } };
      serve('three', '1', mediaTypes.ociManifest, { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: serve('three', 'config', mediaTypes.ociConfig, config), layers });
      const last = served.get(`three/blobs/${layers[2]!.digest}`)!;
      served.delete(`three/blobs/${layers[2]!.digest}`);
      handler = (_request, response, url) => {
        if (url.pathname !== `/v2/three/blobs/${layers[0]!.digest}`) return false;
        void sleep(150).then(() => response.end(served.get(`three/blobs/${layers[0]!.digest}`)!.data));
        return true;
      };
      const images = await open();
      await assert.rejects(images.pull(`${host}/three:1`), (e) => isFault(e, 'not-found'));
      served.set(`three/blobs/${layers[2]!.digest}`, last);
      requests.length = 0;
      const both = await Promise.all([images.pull(`${host}/three:1`), images.pull(`${host}/three:1`)]);
      assert.equal(both[0].image.id, both[1].image.id);
      const fetched = requests.filter((request) => request.includes(layers[2]!.digest) || request.includes(layers[1]!.digest));
      assert.deepEqual(fetched, [`GET /v2/three/blobs/${layers[2]!.digest}`], 'one is there, the other is fetched once for both');
    });

    it('docker.io is asked by way of its mirrors, and itself where they fail', async () => {
      await image('library/app', '1');
      const real: string[] = [];
      const http = createHttpTransport();
      const registry: RegistryOptions = {
        mirrors: ['http://127.0.0.1:1', `http://${host}`],
        transport: (call) => {
          if (call.url.host !== 'registry-1.docker.io') return http(call);
          real.push(call.url.pathname);
          const body = Readable.from([Buffer.from('{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}')]);
          return Promise.resolve({ url: call.url, status: 403, reason: 'Forbidden', headers: {}, body, drop: () => {}, destroy: () => {} });
        },
      };
      const images = await open(registry);
      const pulled = await images.pull('app:1');
      assert.deepEqual(pulled.image.names, ['docker.io/library/app:1']);
      assert.deepEqual(real, []);
      await assert.rejects(images.pull('app:2'), (e) => isFault(e) && /pull access denied for app, repository does not exist or may require 'docker login'/.test(e.message));
      assert.deepEqual(real, ['/v2/library/app/manifests/2']);
      const offline = await open({ ...registry, transport: (call) => (call.url.host === 'registry-1.docker.io' ? Promise.reject(new Error('getaddrinfo ENOTFOUND')) : http(call)) });
      await assert.rejects(offline.pull('app:2'), (e) => isFault(e, 'not-found') && e.message.startsWith('manifest for app:2 not found: manifest unknown'));
      await assert.rejects((await open({ mirrors: ['ftp://x'] })).pull('app:1'), (e) => isFault(e, 'invalid'));
    });

    it('blobs come by way of redirects, without the registry\'s authorization, and not endlessly', async () => {
      const { layer } = await image('moved', '1');
      let loops = 0;
      handler = (_request, response, url) => {
        if (url.pathname === `/v2/moved/blobs/${layer.digest}`) response.writeHead(307, { location: `/elsewhere/${layer.digest}` }).end();
        else if (url.pathname.startsWith('/elsewhere/')) response.end(served.get(`moved/blobs/${layer.digest}`)!.data);
        else if (url.pathname.startsWith('/v2/loop/')) response.writeHead(302, { location: `/v2/loop/${loops++}` }).end();
        else return false;
        return true;
      };
      const images = await open();
      assert.equal((await images.pull(`${host}/moved:1`)).updated, true);
      await assert.rejects(images.pull(`${host}/loop:1`), (e) => isFault(e, 'invalid') && /redirects more than 5 times/.test(e.message));
      assert.equal(loops, 6);
    });

    it('what is false, too large or of an old form is refused, and leaves no image', async () => {
      const images = await open();
      const { manifest, layer } = await image('evil', '1');
      served.set(`evil/blobs/${layer.digest}`, { type: '', data: randomBytes(layer.size) });
      await assert.rejects(images.pull(`${host}/evil:1`), (e) => isFault(e, 'invalid') && e.message.includes(layer.digest));
      served.set(`evil/manifests/${manifest.digest}`, { type: mediaTypes.ociManifest, data: Buffer.from('{"schemaVersion":2}') });
      await assert.rejects(images.pull(`${host}/evil@${manifest.digest}`), (e) => isFault(e, 'invalid') && /manifest verification failed/.test(e.message));
      serve('evil', 'big', mediaTypes.ociManifest, Buffer.alloc(4 * 1024 * 1024 + 1, 0x20));
      await assert.rejects(images.pull(`${host}/evil:big`), (e) => isFault(e, 'too-large'));
      serve('evil', 'old', mediaTypes.dockerManifestV1, { schemaVersion: 1 });
      await assert.rejects(images.pull(`${host}/evil:old`), (e) => isFault(e, 'not-implemented') && /schema 1/.test(e.message));
      assert.deepEqual(images.list(), []);
    });

    it('a password is taken by requests side by side, and a wrong one says so', async () => {
      const requested = new Set<string>();
      handler = (request, response, url) => {
        requested.add(url.pathname);
        if (request.headers.authorization === `Basic ${Buffer.from('me:right').toString('base64')}`) response.end('{}');
        // Nobody is answered before all have asked.
        else void (async () => {
          for (let i = 0; i < 100 && requested.size < 3; i++) await sleep(5);
          response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
        })();
        return true;
      };
      const client = new RegistryClient({ clock: new VirtualClock(), random: systemRandom, log: silentLogger });
      const [repository] = client.repositories(host, 'app', { username: 'me', password: 'right' }, 'push');
      const all = await Promise.all(['a', 'b', 'c'].map((target) => repository!.send({ method: 'GET', target })));
      assert.deepEqual(all.map((answer) => answer.status), [200, 200, 200]);
      const images = await open();
      await images.login(`http://${host}/v1/`, { username: 'me', password: 'right' });
      await assert.rejects(images.login(host, { username: 'me', password: 'wrong' }), (e) => isFault(e, 'unauthenticated') && /^login attempt to http:\S+\/v2\/ failed: /.test(e.message));
      await assert.rejects(images.login('https://not a host/', { username: 'me', password: 'right' }), (e) => isFault(e, 'invalid'));
    });

    it('a server that is busy is asked again', async () => {
      await image('busy', '1');
      let failures = 0;
      handler = (_request, response) => {
        if (failures >= 2) return false;
        failures++;
        response.writeHead(503).end();
        return true;
      };
      assert.equal((await (await open()).pull(`${host}/busy:1`)).updated, true);
    });
  });

  it('a challenge is read with its quotes', () => {
    assert.deepEqual(parseChallenge('Bearer realm="https://a/t",service="x y",scope="repository:a/b:pull,push"'), {
      scheme: 'bearer',
      fields: { realm: 'https://a/t', service: 'x y', scope: 'repository:a/b:pull,push' },
    });
    assert.deepEqual(parseChallenge('Basic realm=reg'), { scheme: 'basic', fields: { realm: 'reg' } });
  });
});
